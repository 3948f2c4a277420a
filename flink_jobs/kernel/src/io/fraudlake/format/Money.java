package io.fraudlake.format;

import java.io.Serializable;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.table.api.ValidationException;

/**
 * Amounts as whole minor units of the base currency, so that sums stay exact.
 *
 * <p>{@code amount * rate} is rounded half-even to two decimals, the same as {@code
 * pipelines/fx.py} does it.
 */
final class Money implements Serializable {

    private static final int MINOR_DIGITS = 2;
    private static final int MAX_FAST_DIGITS = 17;
    private static final long[] POWERS = new long[19];

    static {
        POWERS[0] = 1;
        for (int i = 1; i < POWERS.length; i++) {
            POWERS[i] = POWERS[i - 1] * 10;
        }
    }

    private final Map<String, BigDecimal> rates = new HashMap<>();

    /** From {@code EUR=1.0,USD=0.92}. */
    Money(String rateList) {
        for (String pair : rateList.split(",")) {
            String[] parts = pair.split("=");
            if (parts.length != 2) {
                throw new ValidationException("exchange rates must look like EUR=1.0,USD=0.92");
            }
            rates.put(parts[0].trim(), new BigDecimal(parts[1].trim()));
        }
    }

    boolean knows(String currency) {
        return rates.containsKey(currency);
    }

    /** {@code amount} is JSON number text, not negative, at most 1e11; {@code value} is the same. */
    long toBaseMinor(String amount, double value, String currency) {
        if (value == 0) {
            return 0; // 0, or as good as: 1e-99999999999 is more than a BigDecimal can hold
        }
        BigDecimal rate = rates.get(currency);
        int dot = amount.indexOf('.');
        int decimals = dot < 0 ? 0 : amount.length() - dot - 1;
        if (amount.length() <= MAX_FAST_DIGITS) {
            long unscaled = unscaledDigits(amount);
            if (unscaled >= 0) {
                long product = unscaled * rate.unscaledValue().longValueExact();
                long high = Math.multiplyHigh(unscaled, rate.unscaledValue().longValueExact());
                int surplus = decimals + rate.scale() - MINOR_DIGITS;
                if (high == 0 && product >= 0 && surplus < POWERS.length && surplus > -4) {
                    return scaled(product, surplus);
                }
            }
        }
        BigDecimal exact = new BigDecimal(amount).multiply(rate);
        if (exact.precision() - exact.scale() < -10) {
            return 0; // far below half a cent
        }
        return exact.setScale(MINOR_DIGITS, RoundingMode.HALF_EVEN).unscaledValue().longValueExact();
    }

    private static long scaled(long product, int surplus) {
        if (surplus <= 0) {
            return Math.multiplyExact(product, POWERS[-surplus]);
        }
        long divisor = POWERS[surplus];
        long quotient = product / divisor;
        long twice = product % divisor * 2;
        boolean isUp = twice > divisor || twice == divisor && (quotient & 1) == 1;
        return isUp ? quotient + 1 : quotient;
    }

    /** The digits without the dot as one number; -1 where there is an exponent or a sign. */
    private static long unscaledDigits(String text) {
        long value = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '.') {
                continue;
            }
            if (c < '0' || c > '9') {
                return -1;
            }
            value = value * 10 + (c - '0');
        }
        return value;
    }
}
