package io.fraudlake.profile;

import io.fraudlake.StateLayouts;
import io.fraudlake.event.Bytes;
import java.util.Arrays;

/**
 * All that one key remembers, in one byte array of a versioned layout, changed in place.
 *
 * <p>Changing in place is what makes an event on a busy card cost as little as one on a quiet card.
 * Flink allows it: the heap backend hands out a copy while a snapshot of the old value runs, and
 * RocksDB always does.
 *
 * <pre>
 * 0 version   1 has place   2 has a timer   4 fingerprint of the plan   8 newest event time
 * 16 place: time, latitude, longitude                   40 counts of filters, logged, seen names
 * 52 after how many idle seconds the key is forgotten   56 number of a card's newest row
 * 60 sections: place id, recent ids, events, what is at hand of panes, values of each logged
 *    category, seen values
 * then the hashes of the names
 * then the window aggregates, then the sections' records
 * </pre>
 */
final class ProfileState {

    private static final String LAYOUT = "profile";
    private static final byte VERSION = StateLayouts.written(LAYOUT);

    /** Stands for "no event yet". */
    static final long NO_TIME = Long.MIN_VALUE;

    private static final int FINGERPRINT = 4;
    private static final int NEWEST = 8;
    private static final int PLACE = 16;
    private static final int NAME_COUNTS = 40;
    private static final int FORGET_AFTER = 52;
    private static final int NUMBER = 56;
    private static final int SECTIONS = 60;
    private static final int FIXED_SECTIONS = 4;

    private final ProfileLayout layout;
    private final int paneFingerprint;
    private final int forgetAfterSeconds;
    private final int aggregates;
    private final int bodyStart;
    byte[] bytes;

    final Section placeId;
    final Section ids;
    final Section events;
    final Section panes;
    final Section[] hashes;
    final Section[] seen;

    ProfileState(ProfileLayout layout, WindowAggregates windows, long forgetAfterMs) {
        this(layout, windows.size(), windows.paneHeadSize(), windows.fingerprint(), forgetAfterMs);
    }

    private ProfileState(
            ProfileLayout layout,
            int aggregateBytes,
            int paneBytes,
            int paneFingerprint,
            long forgetAfterMs) {
        this.layout = layout;
        this.paneFingerprint = paneFingerprint;
        this.forgetAfterSeconds = (int) (forgetAfterMs / 1000);
        placeId = new Section(this, SECTIONS, 1);
        ids = new Section(this, SECTIONS + Section.ENTRY, RecentIds.WIDTH);
        events = new Section(this, SECTIONS + 2 * Section.ENTRY, EventLog.width(layout));
        panes = new Section(this, SECTIONS + 3 * Section.ENTRY, paneBytes);
        int at = SECTIONS + FIXED_SECTIONS * Section.ENTRY;
        hashes = sections(layout.logged().length, at, EventLog.HASH_BYTES);
        at += hashes.length * Section.ENTRY;
        seen = sections(layout.seen().length, at, SeenValues.WIDTH);
        int names = at + seen.length * Section.ENTRY;
        aggregates = names + 4 * layout.nameCount();
        bodyStart = aggregates + aggregateBytes;
    }

    private Section[] sections(int count, int at, int width) {
        Section[] sections = new Section[count];
        for (int s = 0; s < count; s++) {
            sections[s] = new Section(this, at + s * Section.ENTRY, width);
        }
        return sections;
    }

    private int sectionCount() {
        return FIXED_SECTIONS + hashes.length + seen.length;
    }

    /** Takes a key's bytes; true when they were written under another plan and were carried over. */
    boolean open(byte[] stored) {
        if (stored == null) {
            create();
            return false;
        }
        if (stored[0] != VERSION) {
            StateLayouts.check(LAYOUT, stored[0]);
        }
        bytes = stored;
        if (Bytes.getInt(stored, FINGERPRINT) == layout.fingerprint()) {
            return false;
        }
        carryOver(stored);
        return true;
    }

    /** As {@code open} does for an unknown key; a timer that was set is still to come. */
    void forget() {
        byte timer = bytes[2];
        int number = number(bytes);
        create();
        bytes[2] = timer;
        setNumber(number);
    }

    private void create() {
        bytes = new byte[bodyStart];
        bytes[0] = VERSION;
        Bytes.putInt(bytes, FINGERPRINT, layout.fingerprint());
        Bytes.putLong(bytes, NEWEST, NO_TIME);
        Bytes.putInt(bytes, FORGET_AFTER, forgetAfterSeconds);
        Bytes.putInt(bytes, NAME_COUNTS, layout.filters().length);
        Bytes.putInt(bytes, NAME_COUNTS + 4, layout.logged().length);
        Bytes.putInt(bytes, NAME_COUNTS + 8, layout.seen().length);
        int at = SECTIONS + sectionCount() * Section.ENTRY;
        for (int[] names : new int[][] {layout.filters(), layout.logged(), layout.seen()}) {
            for (int name : names) {
                Bytes.putInt(bytes, at, name);
                at += 4;
            }
        }
        for (int s = 0; s < sectionCount(); s++) {
            section(s).begin(bodyStart);
        }
    }

    private Section section(int s) {
        return switch (s) {
            case 0 -> placeId;
            case 1 -> ids;
            case 2 -> events;
            case 3 -> panes;
            default -> {
                int among = s - FIXED_SECTIONS;
                yield among < hashes.length ? hashes[among] : seen[among - hashes.length];
            }
        };
    }

    /** The same memory under this plan: what it newly asks for starts empty. */
    private void carryOver(byte[] stored) {
        int[][] names = storedNames(stored);
        ProfileLayout was = new ProfileLayout(0, names[0], names[1], names[2]);
        ProfileState old = new ProfileState(was, 0, 0, 0, 0);
        old.bytes = stored;
        create();
        System.arraycopy(stored, NEWEST, bytes, NEWEST, NAME_COUNTS - NEWEST);
        bytes[1] = stored[1];
        bytes[2] = stored[2];
        setNumber(number(stored));
        copyRecords(old.placeId, placeId);
        copyRecords(old.ids, ids);
        for (int s = 0; s < seen.length; s++) {
            int same = ProfileLayout.indexOf(names[2], layout.seen()[s]);
            if (same >= 0) {
                copyRecords(old.seen[same], seen[s]);
            }
        }
        EventLog from = new EventLog(old.events, old.hashes, was);
        EventLog to = new EventLog(events, hashes, layout);
        for (int i = 0; i < from.count(); i++) {
            to.copyFrom(from, i);
        }
        // Panes know nothing but sums: they go on only where the windows are the very same.
        int at = old.panes.offset();
        if (old.panes.count() > 0 && Panes.fits(stored, at, paneFingerprint)) {
            int target = panes.append();
            System.arraycopy(stored, at, bytes, target, panes.width);
        }
    }

    /** The same memory without room to spare, and without panes; the aggregates are to be rebuilt. */
    void compact() {
        panes.dropFirst(panes.count());
        carryOver(bytes);
    }

    private static int[][] storedNames(byte[] stored) {
        int[][] names = new int[3][];
        int logged = Bytes.getInt(stored, NAME_COUNTS + 4);
        int sections = FIXED_SECTIONS + logged + Bytes.getInt(stored, NAME_COUNTS + 8);
        int at = SECTIONS + sections * Section.ENTRY;
        for (int kind = 0; kind < 3; kind++) {
            names[kind] = new int[Bytes.getInt(stored, NAME_COUNTS + 4 * kind)];
            for (int i = 0; i < names[kind].length; i++) {
                names[kind][i] = Bytes.getInt(stored, at);
                at += 4;
            }
        }
        return names;
    }

    private static void copyRecords(Section from, Section to) {
        for (int i = 0; i < from.count(); i++) {
            int target = to.append();
            System.arraycopy(from.bytes(), from.at(i), to.bytes(), target, from.width);
        }
    }

    /** Opens a gap of {@code extra} bytes at the end of a section; those behind it move. */
    void widen(int entry, int at, int extra) {
        byte[] wider = Arrays.copyOf(bytes, bytes.length + extra);
        System.arraycopy(bytes, at, wider, at + extra, bytes.length - at);
        Arrays.fill(wider, at, at + extra, (byte) 0);
        bytes = wider;
        for (int s = 0; s < sectionCount(); s++) {
            Section section = section(s);
            if (section.isBehind(entry)) {
                section.begin(section.offset() + extra);
            }
        }
    }

    /** When a key has nothing left that an event could ask for, if none comes before. */
    static long idleAt(byte[] stored) {
        return Bytes.getLong(stored, NEWEST) + 1000L * Bytes.getInt(stored, FORGET_AFTER);
    }

    long newest() {
        return Bytes.getLong(bytes, NEWEST);
    }

    void setNewest(long time) {
        Bytes.putLong(bytes, NEWEST, time);
    }

    /** How many rows of a card were numbered. */
    static int number(byte[] stored) {
        return Bytes.getInt(stored, NUMBER);
    }

    void setNumber(int number) {
        Bytes.putInt(bytes, NUMBER, number);
    }

    /** Whether a timer will come that lets go of the key once it is idle. */
    boolean hasTimer() {
        return bytes[2] != 0;
    }

    void setTimer() {
        bytes[2] = 1;
    }

    boolean hasPlace() {
        return bytes[1] != 0;
    }

    long placeTime() {
        return Bytes.getLong(bytes, PLACE);
    }

    double placeLatitude() {
        return Bytes.getDouble(bytes, PLACE + 8);
    }

    double placeLongitude() {
        return Bytes.getDouble(bytes, PLACE + 16);
    }

    byte[] placeTransactionId() {
        return placeId.copy();
    }

    void setPlace(long time, double latitude, double longitude, byte[] transactionId) {
        bytes[1] = 1;
        Bytes.putLong(bytes, PLACE, time);
        Bytes.putDouble(bytes, PLACE + 8, latitude);
        Bytes.putDouble(bytes, PLACE + 16, longitude);
        placeId.replace(transactionId);
    }

    /** Where the window aggregates begin. */
    int aggregates() {
        return aggregates;
    }
}
