package io.fraudlake.profile;

import io.fraudlake.event.Bytes;

/**
 * The events of one key within the longest window, oldest first; the newest {@link #CAPACITY}, and
 * up to {@link #BATCH} more, because those beyond leave together.
 *
 * <p>A record: 48 bits of time, the filter flags, 48 bits of amount. The values of each category
 * that features look at, as 32-bit hashes (0: no value), lie apart, and only of the newest events:
 * those within the longest window of such a feature. Events of one instant keep their order of
 * arrival.
 */
final class EventLog {

    /** So many a key has for certain; it does not grow without bound. */
    static final int CAPACITY = 256;

    /** Panes are read and written once for so many events. */
    static final int BATCH = 32;

    static final int MAX_FILTERS = 16;
    static final int HASH_BYTES = 4;
    private static final int TIME_BYTES = 6;
    private static final int AMOUNT_BYTES = 6;

    private final Section records;
    private final Section[] hashes;
    private final ProfileLayout layout;
    private final int flagBytes;

    EventLog(Section records, Section[] hashes, ProfileLayout layout) {
        this.records = records;
        this.hashes = hashes;
        this.layout = layout;
        this.flagBytes = layout.flagBytes();
    }

    static int width(ProfileLayout layout) {
        return TIME_BYTES + layout.flagBytes() + AMOUNT_BYTES;
    }

    int count() {
        return records.count();
    }

    long time(int i) {
        return timeAt(records.bytes(), records.at(i));
    }

    int flags(int i) {
        return flagsAt(records.bytes(), records.at(i));
    }

    long amount(int i) {
        return amountAt(records.bytes(), records.at(i));
    }

    /** Where event {@code i} begins, for who walks through many: the next is a width further. */
    int at(int i) {
        return records.at(i);
    }

    int width() {
        return records.width;
    }

    /** The bytes that {@link #at} and {@link #hashAt} point into. */
    byte[] bytes() {
        return records.bytes();
    }

    long timeAt(byte[] bytes, int at) {
        return Bytes.getLong(bytes, at) << 16 >> 16;
    }

    int flagsAt(byte[] bytes, int at) {
        int low = bytes[at + TIME_BYTES] & 0xFF;
        return flagBytes == 1 ? low : low | (bytes[at + TIME_BYTES + 1] & 0xFF) << 8;
    }

    long amountAt(byte[] bytes, int at) {
        return Bytes.getLong48(bytes, at + records.width);
    }

    int oldestHashAt(int column) {
        return hashes[column].at(0);
    }

    /** Where event {@code i}'s value lies, if it is kept; that of the event before lies before. */
    int hashAt(int i, int column) {
        Section values = hashes[column];
        return values.at(i - count() + values.count());
    }

    /** 0: the event has no value, or is too old for its values to be kept. */
    int hash(int i, int column) {
        Section values = hashes[column];
        int kept = i - count() + values.count();
        return kept < 0 ? 0 : Bytes.getInt(values.bytes(), values.at(kept));
    }

    /** The position behind all events at {@code time} or earlier. */
    int positionAfter(long time) {
        int position = count();
        while (position > 0 && time(position - 1) > time) {
            position--;
        }
        return position;
    }

    /** {@code values}: one for each logged category. */
    void insert(int position, long time, int flags, long amount, int[] values) {
        int behind = count() - position;
        int at = behind == 0 ? records.append() : records.insert(position);
        byte[] bytes = records.bytes();
        Bytes.putLong48(bytes, at, time);
        bytes[at + TIME_BYTES] = (byte) flags;
        if (flagBytes == 2) {
            bytes[at + TIME_BYTES + 1] = (byte) (flags >> 8);
        }
        Bytes.putLong48(bytes, at + TIME_BYTES + flagBytes, amount);
        for (int c = 0; c < values.length; c++) {
            if (behind <= hashes[c].count()) {
                insertHash(hashes[c], hashes[c].count() - behind, values[c]);
            }
        }
    }

    private static void insertHash(Section hashes, int position, int hash) {
        int at = position == hashes.count() ? hashes.append() : hashes.insert(position);
        Bytes.putInt(hashes.bytes(), at, hash);
    }

    void dropFirst(int gone) {
        records.dropFirst(gone);
        for (Section values : hashes) {
            int tooMany = values.count() - records.count();
            if (tooMany > 0) {
                values.dropFirst(tooMany);
            }
        }
    }

    /** Lets go of a category's values of events at {@code horizon} or earlier. */
    void forgetHashes(int column, long horizon) {
        int kept = hashes[column].count();
        int gone = 0;
        while (gone < kept && time(count() - kept + gone) <= horizon) {
            gone++;
        }
        if (gone > 0) {
            hashes[column].dropFirst(gone);
        }
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
        int[] values = new int[layout.logged().length];
        for (int c = 0; c < values.length; c++) {
            int same = ProfileLayout.indexOf(other.layout.logged(), layout.logged()[c]);
            values[c] = same < 0 ? 0 : other.hash(i, same);
        }
        insert(count(), other.time(i), flags, other.amount(i), values);
    }
}
