package io.fraudlake.profile;

/**
 * All that one key remembers, in one value of a versioned binary layout.
 *
 * <p>One object serves every key of a task: it is filled from the key's bytes, changed, and written
 * back. The bytes themselves are never changed in place, so a running snapshot keeps its copy.
 */
final class ProfileState {

    private static final byte VERSION = 1;

    /** Null-like: no event yet. */
    static final long NO_TIME = Long.MIN_VALUE;

    long newest;
    final LastPlace place = new LastPlace();
    final RecentIds ids = new RecentIds();
    final SeenValues[] seen;
    final EventLog log;

    private final ByteReader in = new ByteReader();
    private final ByteWriter out = new ByteWriter();

    ProfileState(int seenCategories, int loggedCategories) {
        seen = new SeenValues[seenCategories];
        for (int i = 0; i < seen.length; i++) {
            seen[i] = new SeenValues();
        }
        log = new EventLog(loggedCategories);
    }

    /** The empty state of a key that was never seen, or forgotten. */
    private static final byte[] EMPTY = {VERSION, 0};

    void read(byte[] bytes) {
        in.wrap(bytes == null ? EMPTY : bytes);
        byte version = in.int8();
        if (version != VERSION) {
            throw new IllegalStateException(
                    "profile state of version " + version + "; this kernel reads " + VERSION
                            + ". Deploy the release that wrote it, or start without its savepoint");
        }
        boolean isKnown = in.int8() != 0;
        if (!isKnown) {
            clear();
            return;
        }
        newest = in.int64();
        place.read(in);
        ids.read(in);
        int storedSeen = in.varint();
        for (int i = 0; i < storedSeen; i++) {
            seen[i].read(in, newest);
        }
        log.read(in);
    }

    private void clear() {
        ByteReader nothing = new ByteReader();
        nothing.wrap(new byte[] {0});
        newest = NO_TIME;
        place.isKnown = false;
        ids.read(nothing);
        for (SeenValues values : seen) {
            nothing.wrap(new byte[] {0});
            values.read(nothing, 0);
        }
        log.size = 0;
    }

    byte[] write() {
        out.reset();
        out.int8(VERSION);
        out.int8((byte) 1);
        out.int64(newest);
        place.write(out);
        ids.write(out);
        out.varlong(seen.length);
        for (SeenValues values : seen) {
            values.write(out, newest);
        }
        log.write(out);
        return out.toByteArray();
    }
}
