package io.fraudlake.profile;

/**
 * The values of one category that a key has used, with the time of their last use.
 *
 * <p>A value unused for {@link #MEMORY_MS} is forgotten; of more than {@link #CAPACITY} the least
 * recently used goes. Values are 32-bit hashes: of 128 known values, one new value in 30 million
 * is taken for a known one.
 */
final class SeenValues {

    static final int CAPACITY = 128;
    static final long MEMORY_MS = 90 * 86_400_000L;

    private int size;
    private final int[] hashes = new int[CAPACITY];
    private final long[] lastSeen = new long[CAPACITY];

    /** True when the value was unknown; it is known from now on. */
    boolean add(int hash, long time, long newest) {
        forget(newest - MEMORY_MS);
        for (int i = 0; i < size; i++) {
            if (hashes[i] == hash) {
                lastSeen[i] = Math.max(lastSeen[i], time);
                return false;
            }
        }
        int slot = size < CAPACITY ? size++ : leastRecent();
        hashes[slot] = hash;
        lastSeen[slot] = time;
        return true;
    }

    private void forget(long time) {
        int kept = 0;
        for (int i = 0; i < size; i++) {
            if (lastSeen[i] > time) {
                hashes[kept] = hashes[i];
                lastSeen[kept] = lastSeen[i];
                kept++;
            }
        }
        size = kept;
    }

    private int leastRecent() {
        int least = 0;
        for (int i = 1; i < size; i++) {
            if (lastSeen[i] < lastSeen[least]) {
                least = i;
            }
        }
        return least;
    }

    void read(ByteReader in, long newest) {
        size = in.varint();
        for (int i = 0; i < size; i++) {
            hashes[i] = in.int32();
            lastSeen[i] = newest - in.varlong();
        }
    }

    void write(ByteWriter out, long newest) {
        out.varlong(size);
        for (int i = 0; i < size; i++) {
            out.int32(hashes[i]);
            out.varlong(newest - lastSeen[i]);
        }
    }
}
