package io.fraudlake.event;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Little-endian words at any place of a byte array. */
public final class Bytes {

    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORT =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private Bytes() {}

    public static int getInt(byte[] bytes, int at) {
        return (int) INT.get(bytes, at);
    }

    public static void putInt(byte[] bytes, int at, int value) {
        INT.set(bytes, at, value);
    }

    public static long getLong(byte[] bytes, int at) {
        return (long) LONG.get(bytes, at);
    }

    public static void putLong(byte[] bytes, int at, long value) {
        LONG.set(bytes, at, value);
    }

    /** The six bytes that end at {@code end}, with their sign; two more must lie before them. */
    public static long getLong48(byte[] bytes, int end) {
        return getLong(bytes, end - 8) >> 16;
    }

    public static void putLong48(byte[] bytes, int at, long value) {
        INT.set(bytes, at, (int) value);
        SHORT.set(bytes, at + 4, (short) (value >> 32));
    }

    public static double getDouble(byte[] bytes, int at) {
        return Double.longBitsToDouble(getLong(bytes, at));
    }

    public static void putDouble(byte[] bytes, int at, double value) {
        putLong(bytes, at, Double.doubleToRawLongBits(value));
    }
}
