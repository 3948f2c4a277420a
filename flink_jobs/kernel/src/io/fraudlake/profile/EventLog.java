package io.fraudlake.profile;

/**
 * The events of one key within the longest window, oldest first; at most {@link #CAPACITY}.
 *
 * <p>A record: 48 bits of time and 16 filter flags, the amount, and the 32-bit hash of each
 * category that a distinct count looks at (0 stands for no value). Events of one instant keep their
 * order of arrival.
 */
final class EventLog {

    /** Beyond it the oldest event is dropped, so that no key grows without bound. */
    static final int CAPACITY = 1000;

    static final int FIXED_WIDTH = 16;
    static final int MAX_FILTERS = 16;

    private final Section records;
    private final ProfileLayout layout;

    EventLog(Section records, ProfileLayout layout) {
        this.records = records;
        this.layout = layout;
    }

    int count() {
        return records.count();
    }

    long time(int i) {
        return Bytes.getLong(records.bytes(), records.at(i)) >> 16;
    }

    int flags(int i) {
        return (int) Bytes.getLong(records.bytes(), records.at(i)) & 0xFFFF;
    }

    long amount(int i) {
        return Bytes.getLong(records.bytes(), records.at(i) + 8);
    }

    int hash(int i, int column) {
        return Bytes.getInt(records.bytes(), records.at(i) + FIXED_WIDTH + 4 * column);
    }

    /** The position behind all events at {@code time} or earlier. */
    int positionAfter(long time) {
        int position = count();
        while (position > 0 && time(position - 1) > time) {
            position--;
        }
        return position;
    }

    /** {@code hashes}: one for each logged category. */
    void insert(int position, long time, int flags, long amount, int[] hashes) {
        int at = position == count() ? records.append() : records.insert(position);
        byte[] bytes = records.bytes();
        Bytes.putLong(bytes, at, time << 16 | flags & 0xFFFF);
        Bytes.putLong(bytes, at + 8, amount);
        for (int c = 0; c < layout.logged().length; c++) {
            Bytes.putInt(bytes, at + FIXED_WIDTH + 4 * c, hashes[c]);
        }
    }

    void dropFirst(int gone) {
        records.dropFirst(gone);
    }

    /** Appends an event of a log with another layout; what that one does not know is empty. */
    void copyFrom(EventLog other, int i) {
        int flags = 0;
        for (int f = 0; f < layout.filters().length; f++) {
            int same = ProfileLayout.indexOf(other.layout.filters(), layout.filters()[f]);
            if (same >= 0 && (other.flags(i) >>> same & 1) != 0) {
                flags |= 1 << f;
            }
        }
        int[] hashes = new int[layout.logged().length];
        for (int c = 0; c < hashes.length; c++) {
            int same = ProfileLayout.indexOf(other.layout.logged(), layout.logged()[c]);
            hashes[c] = same < 0 ? 0 : other.hash(i, same);
        }
        insert(count(), other.time(i), flags, other.amount(i), hashes);
    }
}
