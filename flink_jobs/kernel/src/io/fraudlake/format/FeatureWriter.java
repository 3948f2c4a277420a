package io.fraudlake.format;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.ArrayData;

/** An {@code ARRAY<DOUBLE>} as an object, under the names the plan gave its positions. */
final class FeatureWriter implements ValueWriter {

    private static final Set<String> KINDS = Set.of("count", "money", "number");

    private final byte[][] prefixes;
    private final boolean[] isMoney;

    /** {@code features}: {@code name:kind}, kinds count, money, number. */
    FeatureWriter(List<String> features) {
        prefixes = new byte[features.size()][];
        isMoney = new boolean[features.size()];
        for (int i = 0; i < prefixes.length; i++) {
            String[] parts = features.get(i).split(":");
            if (parts.length != 2 || !KINDS.contains(parts[1])) {
                throw new ValidationException(
                        "feature '" + features.get(i) + "' must be name:kind, kind one of " + KINDS);
            }
            String comma = i == 0 ? "" : ",";
            prefixes[i] = (comma + '"' + parts[0] + "\":").getBytes(StandardCharsets.UTF_8);
            isMoney[i] = parts[1].equals("money");
        }
    }

    @Override
    public void write(JsonBytes out, Object value) {
        ArrayData array = (ArrayData) value;
        out.raw('{');
        for (int i = 0; i < prefixes.length; i++) {
            out.raw(prefixes[i]);
            if (array.isNullAt(i)) {
                out.nothing();
            } else if (isMoney[i]) {
                out.money(array.getDouble(i));
            } else {
                out.number(array.getDouble(i));
            }
        }
        out.raw('}');
    }
}
