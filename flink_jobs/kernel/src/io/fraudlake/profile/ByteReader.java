package io.fraudlake.profile;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Reads what {@link ByteWriter} wrote. */
final class ByteReader {

    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private byte[] bytes;
    private int position;

    void wrap(byte[] bytes) {
        this.bytes = bytes;
        this.position = 0;
    }

    byte int8() {
        return bytes[position++];
    }

    int int32() {
        int value = (int) INT.get(bytes, position);
        position += 4;
        return value;
    }

    long int64() {
        long value = (long) LONG.get(bytes, position);
        position += 8;
        return value;
    }

    double float64() {
        return Double.longBitsToDouble(int64());
    }

    int varint() {
        return (int) varlong();
    }

    long varlong() {
        long value = 0;
        int shift = 0;
        byte next;
        do {
            next = bytes[position++];
            value |= (long) (next & 0x7F) << shift;
            shift += 7;
        } while (next < 0);
        return value;
    }

    byte[] array() {
        int length = varint();
        byte[] value = new byte[length];
        System.arraycopy(bytes, position, value, 0, length);
        position += length;
        return value;
    }
}
