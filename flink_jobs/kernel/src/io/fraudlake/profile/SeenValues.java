package io.fraudlake.profile;

import io.fraudlake.event.Bytes;

/**
 * The values of one category that a key has used, with the time of their last use.
 *
 * <p>A value unused for {@link #MEMORY_MS} is forgotten; of more than {@link #CAPACITY} the least
 * recently used goes. Values are 32-bit hashes: of 128 known values, one new value in 30 million
 * is taken for a known one.
 */
final class SeenValues {

    static final int CAPACITY = 128;
    static final int WIDTH = 10;
    static final long MEMORY_MS = 90 * 86_400_000L;

    private final Section records;

    SeenValues(Section records) {
        this.records = records;
    }

    /** True when the value was unknown; it is known from now on. */
    boolean add(int hash, long time, long newest) {
        int least = -1;
        long leastTime = Long.MAX_VALUE;
        for (int i = records.count() - 1; i >= 0; i--) {
            int at = records.at(i);
            long lastSeen = Bytes.getLong48(records.bytes(), at + WIDTH);
            if (lastSeen <= newest - MEMORY_MS) {
                records.remove(i);
                if (least > i) {
                    least--;
                }
                continue;
            }
            if (Bytes.getInt(records.bytes(), at) == hash) {
                Bytes.putLong48(records.bytes(), at + 4, Math.max(lastSeen, time));
                return false;
            }
            if (lastSeen <= leastTime) {
                leastTime = lastSeen;
                least = i;
            }
        }
        if (records.count() >= CAPACITY) {
            records.remove(least);
        }
        int at = records.append();
        Bytes.putInt(records.bytes(), at, hash);
        Bytes.putLong48(records.bytes(), at + 4, time);
        return true;
    }
}
