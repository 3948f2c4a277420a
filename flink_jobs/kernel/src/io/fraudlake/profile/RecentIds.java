package io.fraudlake.profile;

import java.util.Arrays;

/**
 * The transaction ids of the last 24 hours, as 64-bit hashes, in the order of arrival.
 *
 * <p>Each with the newest event time at its arrival, by which it is forgotten, and the offset of
 * its record, which a repeat names. At most {@link #CAPACITY}; the oldest is dropped.
 */
final class RecentIds {

    static final int CAPACITY = 1000;
    static final long MEMORY_MS = 24 * 3_600_000L;

    private int size;
    private long[] ids = new long[32];
    private long[] seenAt = new long[32];
    private long[] offsets = new long[32];

    /** The offset at which the id was decided, or -1. */
    long offsetOf(long id) {
        for (int i = size - 1; i >= 0; i--) {
            if (ids[i] == id) {
                return offsets[i];
            }
        }
        return -1;
    }

    void add(long id, long newest, long offset) {
        forget(newest - MEMORY_MS);
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, size * 2);
            seenAt = Arrays.copyOf(seenAt, size * 2);
            offsets = Arrays.copyOf(offsets, size * 2);
        }
        ids[size] = id;
        seenAt[size] = newest;
        offsets[size] = offset;
        size++;
    }

    /** Forgets what was seen at or before {@code time}, and makes room for one more. */
    void forget(long time) {
        int gone = Math.max(0, size + 1 - CAPACITY);
        while (gone < size && seenAt[gone] <= time) {
            gone++;
        }
        if (gone > 0) {
            size -= gone;
            System.arraycopy(ids, gone, ids, 0, size);
            System.arraycopy(seenAt, gone, seenAt, 0, size);
            System.arraycopy(offsets, gone, offsets, 0, size);
        }
    }

    void read(ByteReader in) {
        size = in.varint();
        if (size > ids.length) {
            ids = new long[size];
            seenAt = new long[size];
            offsets = new long[size];
        }
        long time = 0;
        long offset = 0;
        for (int i = 0; i < size; i++) {
            ids[i] = in.int64();
            time += in.varlong();
            seenAt[i] = time;
            offset += in.varlong();
            offsets[i] = offset;
        }
    }

    /** Both the times and the offsets only grow, so their differences are small. */
    void write(ByteWriter out) {
        out.varlong(size);
        long time = 0;
        long offset = 0;
        for (int i = 0; i < size; i++) {
            out.int64(ids[i]);
            out.varlong(seenAt[i] - time);
            time = seenAt[i];
            out.varlong(offsets[i] - offset);
            offset = offsets[i];
        }
    }
}
