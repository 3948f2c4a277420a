package io.fraudlake.format;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * How long a record takes from its decoder to its encoder, known for one record in 64.
 *
 * <p>The two run in different tasks and share the record's bytes alone, so these choose the sample
 * and find it again. A record that is decided by another TaskManager than the one that read it, or
 * whose slot was taken by a later one, is not measured. Threads may start and stop at once.
 */
final class SampledLatency {

    static final long ONE_IN = 64;
    static final long UNKNOWN = -1;

    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long PRIME = 0x9E3779B97F4A7C15L;
    private static final int SLOTS = 4096;

    // Pairs of key and nanoseconds; one for all tasks of the job in this JVM.
    private static final AtomicLongArray STARTED = new AtomicLongArray(2 * SLOTS);

    private SampledLatency() {}

    /** Notes the time, if the record is one of the sample. */
    static void start(byte[] record) {
        long key = keyOf(record);
        if (key % ONE_IN != 0) {
            return;
        }
        int slot = slotOf(key);
        STARTED.set(slot, 0);
        STARTED.set(slot + 1, System.nanoTime());
        STARTED.set(slot, key);
    }

    /** Milliseconds since {@code start}, or UNKNOWN; a record is measured once. */
    static long stop(byte[] record) {
        long key = keyOf(record);
        if (key % ONE_IN != 0) {
            return UNKNOWN;
        }
        int slot = slotOf(key);
        long started = STARTED.get(slot + 1);
        boolean isOurs = STARTED.compareAndSet(slot, key, 0);
        return isOurs ? (System.nanoTime() - started) / 1_000_000 : UNKNOWN;
    }

    private static int slotOf(long key) {
        return 2 * (int) (key / ONE_IN % SLOTS);
    }

    /** Positive and never 0. Every byte counts: ids alone may tell two records apart. */
    private static long keyOf(byte[] record) {
        long a = record.length;
        long b = 0;
        long c = 0;
        long d = 0;
        int at = 0;
        // Four chains that do not wait for one another: a third of the time of one.
        for (; at + 4 * Long.BYTES <= record.length; at += 4 * Long.BYTES) {
            a = (a ^ (long) LONGS.get(record, at)) * PRIME;
            b = (b ^ (long) LONGS.get(record, at + Long.BYTES)) * PRIME;
            c = (c ^ (long) LONGS.get(record, at + 2 * Long.BYTES)) * PRIME;
            d = (d ^ (long) LONGS.get(record, at + 3 * Long.BYTES)) * PRIME;
        }
        for (; at + Long.BYTES <= record.length; at += Long.BYTES) {
            a = (a ^ (long) LONGS.get(record, at)) * PRIME;
        }
        for (; at < record.length; at++) {
            a = (a ^ record[at]) * PRIME;
        }
        long hash = mix(mix(mix(a) ^ b) ^ c) ^ d;
        return mix(hash) >>> 8 | ONE_IN << 20; // the lowest bits of a product know little
    }

    private static long mix(long hash) {
        hash = (hash ^ hash >>> 32) * PRIME;
        return (hash ^ hash >>> 29) * PRIME;
    }
}
