package io.fraudlake.event;

import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.binary.BinaryArrayData;
import org.apache.flink.table.data.writer.BinaryArrayWriter;

/** The features of a packed event as {@code ARRAY<DOUBLE>}; reuses its buffer between events. */
public final class FeatureArray {

    private final BinaryArrayData array = new BinaryArrayData();
    private BinaryArrayWriter writer;

    /** Valid until the next call; NaN becomes NULL. */
    public ArrayData of(byte[] event) {
        int size = EventBytes.featureCount(event);
        if (writer == null || array.size() != size) {
            writer = new BinaryArrayWriter(array, size, Double.BYTES);
        }
        writer.reset();
        for (int i = 0; i < size; i++) {
            double value = EventBytes.feature(event, i);
            if (Double.isNaN(value)) {
                writer.setNullDouble(i);
            } else {
                writer.writeDouble(i, value);
            }
        }
        writer.complete();
        return array;
    }
}
