package io.fraudlake.profile;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Compact binary state: little-endian words, and variable-length integers of 7 bits a byte. */
final class ByteWriter {

    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private byte[] bytes = new byte[4096];
    private int position;

    void reset() {
        position = 0;
    }

    byte[] toByteArray() {
        return Arrays.copyOf(bytes, position);
    }

    void int8(byte value) {
        reserve(1);
        bytes[position++] = value;
    }

    void int32(int value) {
        reserve(4);
        INT.set(bytes, position, value);
        position += 4;
    }

    void int64(long value) {
        reserve(8);
        LONG.set(bytes, position, value);
        position += 8;
    }

    void float64(double value) {
        int64(Double.doubleToRawLongBits(value));
    }

    /** A negative value takes ten bytes; everything stored this way is positive in practice. */
    void varlong(long value) {
        reserve(10);
        while ((value & ~0x7FL) != 0) {
            bytes[position++] = (byte) (value | 0x80);
            value >>>= 7;
        }
        bytes[position++] = (byte) value;
    }

    void array(byte[] value) {
        varlong(value.length);
        reserve(value.length);
        System.arraycopy(value, 0, bytes, position, value.length);
        position += value.length;
    }

    private void reserve(int count) {
        if (bytes.length - position < count) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, position + count));
        }
    }
}
