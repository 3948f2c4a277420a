package io.fraudlake.decision;

import java.nio.charset.StandardCharsets;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code f_fixed(x, n)}: a number with n decimals (0 to 6), halves away from zero; NULL where x is
 * missing, or so large that its decimals are not certain.
 *
 * <p>The SQL for it, by way of {@code DECIMAL(38, n)}, costs as much as all rules together where
 * several of them fire.
 */
public final class FixedText extends ScalarFunction {

    private static final long serialVersionUID = 1L;

    /** A double tells apart all decimals of so many digits. */
    private static final int CERTAIN_DIGITS = 15;

    private static final long[] POWERS = powers();

    @DataTypeHint(value = "STRING", bridgedTo = StringData.class)
    public StringData eval(Double x, int decimals) {
        if (x == null || !(Math.abs(x) < POWERS[CERTAIN_DIGITS - decimals])) {
            return null;
        }
        long scale = POWERS[decimals];
        long units = (long) Math.floor(Math.abs(x) * scale + 0.5);
        return StringData.fromBytes(write(units, decimals, x < 0 && units > 0));
    }

    private static byte[] write(long units, int decimals, boolean isNegative) {
        String digits = Long.toString(units);
        StringBuilder text = new StringBuilder(digits.length() + decimals + 2);
        text.append(isNegative ? "-" : "");
        text.append("0".repeat(Math.max(0, decimals + 1 - digits.length()))).append(digits);
        if (decimals > 0) {
            text.insert(text.length() - decimals, '.');
        }
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    private static long[] powers() {
        long[] powers = new long[CERTAIN_DIGITS + 1];
        powers[0] = 1;
        for (int i = 1; i < powers.length; i++) {
            powers[i] = powers[i - 1] * 10;
        }
        return powers;
    }
}
