package io.fraudlake.event;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.ScalarFunction;

/** {@code f_event(...)}: the packed event of a decoded record. */
public final class PackEvent extends ScalarFunction {

    private static final long serialVersionUID = 1L;
    private static final long[] NO_HASHES = {};
    private static final double[] NO_NUMBERS = {};
    private static final byte[][] NO_TEXTS = {};

    public byte[] eval(
            @DataTypeHint(value = "TIMESTAMP_LTZ(3)", bridgedTo = TimestampData.class)
                    TimestampData time,
            Long amountMinor,
            Long flags,
            Double latitude,
            Double longitude,
            Integer partition,
            Long offset,
            @DataTypeHint(value = "ARRAY<BIGINT>", bridgedTo = ArrayData.class) ArrayData hashes,
            @DataTypeHint(value = "ARRAY<DOUBLE>", bridgedTo = ArrayData.class) ArrayData numbers,
            Integer features,
            @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData transactionId,
            @DataTypeHint(value = "ARRAY<STRING>", bridgedTo = ArrayData.class) ArrayData texts,
            byte[] raw) {
        byte[] event =
                EventBytes.create(
                        hashes(hashes),
                        numbers(numbers),
                        features,
                        transactionId.toBytes(),
                        texts(texts),
                        raw);
        EventBytes.putHead(event, time.getMillisecond(), amountMinor, flags, partition, offset);
        boolean hasPlace = latitude != null && longitude != null;
        EventBytes.putPlace(
                event, hasPlace ? latitude : Double.NaN, hasPlace ? longitude : Double.NaN);
        return event;
    }

    private static long[] hashes(ArrayData array) {
        if (array == null) {
            return NO_HASHES;
        }
        long[] hashes = new long[array.size()];
        for (int i = 0; i < hashes.length; i++) {
            hashes[i] = array.isNullAt(i) ? 0 : array.getLong(i);
        }
        return hashes;
    }

    private static double[] numbers(ArrayData array) {
        if (array == null) {
            return NO_NUMBERS;
        }
        double[] numbers = new double[array.size()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = array.isNullAt(i) ? Double.NaN : array.getDouble(i);
        }
        return numbers;
    }

    private static byte[][] texts(ArrayData array) {
        if (array == null) {
            return NO_TEXTS;
        }
        byte[][] texts = new byte[array.size()][];
        for (int i = 0; i < texts.length; i++) {
            texts[i] = array.isNullAt(i) ? null : array.getString(i).toBytes();
        }
        return texts;
    }
}
