package io.fraudlake.profile;

import io.fraudlake.StateLayouts;
import io.fraudlake.event.Bytes;
import java.util.Arrays;

/**
 * The newest few versions of one customer's profile, and which of them counted at a time.
 *
 * <p>Versions are ordered by the time of their update, whatever the order of their arrival; of one
 * instant the later arrival counts. With {@link #MOST} of them the oldest goes.
 *
 * <pre>
 * 0 layout version   1 how many, the oldest first; then of each
 * 0 time of the update   8 number of fields   9 fields, NaN for none
 * </pre>
 *
 * Of layout 1 there is one profile: 0 layout version, 1 time of the update, 9 fields to the end. It
 * is read, and written anew with the next update.
 */
final class CustomerVersions {

    static final int MOST = 4;

    private static final byte LAYOUT = StateLayouts.written("customers");
    private static final int COUNT = 1;
    private static final int BODY = 2;
    private static final int FIELD_COUNT = 8;
    private static final int FIELDS = 9;

    private CustomerVersions() {}

    /** What is remembered after an update; {@code state} null: the customer was unknown. */
    static byte[] update(byte[] state, long updatedAt, double[] fields) {
        byte[] before = state == null ? new byte[] {LAYOUT, 0} : current(state);
        int at = BODY;
        for (int left = before[COUNT]; left > 0 && time(before, at) < updatedAt; left--) {
            at = behind(before, at);
        }
        boolean isAgain = at < before.length && time(before, at) == updatedAt;
        int rest = isAgain ? behind(before, at) : at;
        int own = FIELDS + Double.BYTES * fields.length;
        byte[] after = Arrays.copyOf(before, before.length - (rest - at) + own);
        Bytes.putLong(after, at, updatedAt);
        after[at + FIELD_COUNT] = (byte) fields.length;
        for (int i = 0; i < fields.length; i++) {
            Bytes.putDouble(after, at + FIELDS + Double.BYTES * i, fields[i]);
        }
        System.arraycopy(before, rest, after, at + own, before.length - rest);
        after[COUNT] = (byte) (before[COUNT] + (isAgain ? 0 : 1));
        return after[COUNT] > MOST ? withoutOldest(after) : after;
    }

    /**
     * The fields of the newest version that is not newer than {@code time}; where all known are
     * newer, of the oldest: a compacted topic may have lost those before it.
     */
    static double[] asOf(byte[] state, long time) {
        byte[] versions = current(state);
        int found = BODY;
        int at = BODY;
        for (int left = versions[COUNT]; left > 0 && time(versions, at) <= time; left--) {
            found = at;
            at = behind(versions, at);
        }
        double[] fields = new double[versions[found + FIELD_COUNT]];
        for (int i = 0; i < fields.length; i++) {
            fields[i] = Bytes.getDouble(versions, found + FIELDS + Double.BYTES * i);
        }
        return fields;
    }

    private static byte[] current(byte[] state) {
        if (state[0] == LAYOUT) {
            return state;
        }
        StateLayouts.check("customers", state[0]);
        byte[] versions = new byte[state.length + 2];
        versions[0] = LAYOUT;
        versions[COUNT] = 1;
        Bytes.putLong(versions, BODY, Bytes.getLong(state, 1));
        int fields = state.length - 9;
        versions[BODY + FIELD_COUNT] = (byte) (fields / Double.BYTES);
        System.arraycopy(state, 9, versions, BODY + FIELDS, fields);
        return versions;
    }

    private static byte[] withoutOldest(byte[] versions) {
        int second = behind(versions, BODY);
        byte[] fewer = new byte[versions.length - (second - BODY)];
        fewer[0] = LAYOUT;
        fewer[COUNT] = (byte) (versions[COUNT] - 1);
        System.arraycopy(versions, second, fewer, BODY, versions.length - second);
        return fewer;
    }

    private static long time(byte[] versions, int at) {
        return Bytes.getLong(versions, at);
    }

    private static int behind(byte[] versions, int at) {
        return at + FIELDS + Double.BYTES * versions[at + FIELD_COUNT];
    }
}
