package io.fraudlake.profile;

import io.fraudlake.event.Bytes;
import java.util.Arrays;

/**
 * A list of records of one width inside the profile's bytes: append, insert, drop from the front.
 *
 * <p>Dropping moves nothing; the room is won back when the end is reached, so that each operation
 * costs O(1) amortised.
 */
final class Section {

    /** Bytes of a section's entry in the header: offset, capacity, start, count. */
    static final int ENTRY = 16;

    /** One part in so many is spare: less would move bytes more often, more would fill the state. */
    private static final int SLACK = 8;

    private final ProfileState state;
    private final int entry;
    final int width;

    Section(ProfileState state, int entry, int width) {
        this.state = state;
        this.entry = entry;
        this.width = width;
    }

    int count() {
        return Bytes.getInt(state.bytes, entry + 12);
    }

    /** Where record {@code i} begins; valid until the next append or insert. */
    int at(int i) {
        return offset() + (start() + i) * width;
    }

    /** Room for one more record at the end; where it begins. */
    int append() {
        int count = count();
        reserve(1);
        setCount(count + 1);
        return at(count);
    }

    /** All records at once. */
    void replace(byte[] content) {
        setCount(0);
        setStart(0);
        reserve(content.length / width);
        System.arraycopy(content, 0, state.bytes, offset(), content.length);
        setCount(content.length / width);
    }

    byte[] copy() {
        return Arrays.copyOfRange(state.bytes, at(0), at(count()));
    }

    /** Room for one more record before record {@code i}; where it begins. */
    int insert(int i) {
        append();
        int from = at(i);
        System.arraycopy(state.bytes, from, state.bytes, from + width, (count() - 1 - i) * width);
        return from;
    }

    void dropFirst(int gone) {
        int left = count() - gone;
        setCount(left);
        setStart(left == 0 ? 0 : start() + gone);
    }

    void remove(int i) {
        int from = at(i);
        int behind = count() - 1 - i;
        System.arraycopy(state.bytes, from + width, state.bytes, from, behind * width);
        setCount(count() - 1);
    }

    boolean isBehind(int otherEntry) {
        return entry > otherEntry;
    }

    void begin(int offset) {
        Bytes.putInt(state.bytes, entry, offset);
    }

    /** Makes room for more records at the end: moves the records to the front, or widens. */
    private void reserve(int more) {
        int capacity = Bytes.getInt(state.bytes, entry + 4);
        int start = start();
        int count = count();
        if ((start + count + more) * width <= capacity) {
            return;
        }
        if (start > count / SLACK && (count + more) * width <= capacity) {
            int from = at(0);
            System.arraycopy(state.bytes, from, state.bytes, offset(), count * width);
            setStart(0);
            return;
        }
        int extra = Math.max(more, count / SLACK) * width;
        state.widen(entry, offset() + capacity, extra);
        Bytes.putInt(state.bytes, entry + 4, capacity + extra);
    }

    byte[] bytes() {
        return state.bytes;
    }

    int offset() {
        return Bytes.getInt(state.bytes, entry);
    }

    private int start() {
        return Bytes.getInt(state.bytes, entry + 8);
    }

    private void setStart(int start) {
        Bytes.putInt(state.bytes, entry + 8, start);
    }

    private void setCount(int count) {
        Bytes.putInt(state.bytes, entry + 12, count);
    }
}
