package io.fraudlake.profile;

import io.fraudlake.event.Bytes;

/**
 * The transaction ids of the last 24 hours, as 64-bit hashes, in the order of arrival.
 *
 * <p>Each with the newest event time at its arrival, by which it is forgotten, and the offset of
 * its record, which a repeat names. At most {@link #CAPACITY}; the oldest is dropped.
 */
final class RecentIds {

    static final int CAPACITY = 256;
    static final int WIDTH = 24;
    static final long MEMORY_MS = 24 * 3_600_000L;

    private final Section records;

    RecentIds(Section records) {
        this.records = records;
    }

    /** The offset at which the id was decided after {@code horizon}, or -1. */
    long offsetOf(long id, long horizon) {
        byte[] bytes = records.bytes();
        for (int i = records.count() - 1, at = records.at(i); i >= 0; i--, at -= WIDTH) {
            if (Bytes.getLong(bytes, at + 8) <= horizon) {
                return -1; // the times only grow: all before it are older still
            }
            if (Bytes.getLong(bytes, at) == id) {
                return Bytes.getLong(bytes, at + 16);
            }
        }
        return -1;
    }

    void add(long id, long newest, long offset) {
        int gone = Math.max(0, records.count() + 1 - CAPACITY);
        while (gone < records.count()
                && Bytes.getLong(records.bytes(), records.at(gone) + 8) <= newest - MEMORY_MS) {
            gone++;
        }
        if (gone > 0) {
            records.dropFirst(gone);
        }
        int at = records.append();
        byte[] bytes = records.bytes();
        Bytes.putLong(bytes, at, id);
        Bytes.putLong(bytes, at + 8, newest);
        Bytes.putLong(bytes, at + 16, offset);
    }
}
