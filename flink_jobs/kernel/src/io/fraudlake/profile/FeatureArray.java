package io.fraudlake.profile;

import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.binary.BinaryArrayData;
import org.apache.flink.table.data.writer.BinaryArrayWriter;

/** Builds {@code ARRAY<DOUBLE>} values in Flink's binary form; reuses its buffer between rows. */
final class FeatureArray {

    private final BinaryArrayData array = new BinaryArrayData();
    private BinaryArrayWriter writer;
    private int size = -1;

    /** Features of earlier stages (null: none), then those of this one; NaN becomes NULL. */
    ArrayData concat(ArrayData before, double[] added) {
        int carried = begin(before, added);
        for (int i = 0; i < carried; i++) {
            put(i, before.isNullAt(i) ? Double.NaN : before.getDouble(i));
        }
        for (int i = 0; i < added.length; i++) {
            put(carried + i, added[i]);
        }
        writer.complete();
        return array;
    }

    /** As many NULLs: a repeat is not evaluated. */
    ArrayData nulls(ArrayData before, double[] added) {
        int count = begin(before, added) + added.length;
        for (int i = 0; i < count; i++) {
            writer.setNullDouble(i);
        }
        writer.complete();
        return array;
    }

    private int begin(ArrayData before, double[] added) {
        int carried = before == null ? 0 : before.size();
        if (size != carried + added.length) {
            size = carried + added.length;
            writer = new BinaryArrayWriter(array, size, Double.BYTES);
        }
        writer.reset();
        return carried;
    }

    private void put(int position, double value) {
        if (Double.isNaN(value)) {
            writer.setNullDouble(position);
        } else {
            writer.writeDouble(position, value);
        }
    }
}
