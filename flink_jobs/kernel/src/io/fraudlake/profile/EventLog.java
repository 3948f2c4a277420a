package io.fraudlake.profile;

import java.util.Arrays;

/**
 * The events of one key within the longest window, oldest first; at most {@link #CAPACITY}.
 *
 * <p>Columns side by side: time, amount, filter flags, and the 32-bit hash of each category that a
 * distinct count looks at (0 stands for no value). Events of one instant keep their arrival order.
 */
final class EventLog {

    /** Beyond it the oldest event is dropped, so that no key grows without bound. */
    static final int CAPACITY = 1000;

    final int categories;
    int size;
    long[] times = new long[64];
    long[] amounts = new long[64];
    int[] flags = new int[64];
    int[][] hashes;

    EventLog(int categories) {
        this.categories = categories;
        this.hashes = new int[categories][64];
    }

    /** The position behind all events at {@code time} or earlier. */
    int positionAfter(long time) {
        int position = size;
        while (position > 0 && times[position - 1] > time) {
            position--;
        }
        return position;
    }

    /** Makes room at a position; the caller fills the columns. */
    void insert(int position, long time, long amount, int flag) {
        reserve(size + 1);
        int moved = size - position;
        if (moved > 0) {
            System.arraycopy(times, position, times, position + 1, moved);
            System.arraycopy(amounts, position, amounts, position + 1, moved);
            System.arraycopy(flags, position, flags, position + 1, moved);
            for (int[] column : hashes) {
                System.arraycopy(column, position, column, position + 1, moved);
            }
        }
        times[position] = time;
        amounts[position] = amount;
        flags[position] = flag;
        size++;
    }

    /** Forgets events at or before {@code time}, and the oldest beyond the capacity. */
    void forget(long time) {
        int gone = Math.max(0, size - CAPACITY);
        while (gone < size && times[gone] <= time) {
            gone++;
        }
        if (gone == 0) {
            return;
        }
        size -= gone;
        System.arraycopy(times, gone, times, 0, size);
        System.arraycopy(amounts, gone, amounts, 0, size);
        System.arraycopy(flags, gone, flags, 0, size);
        for (int[] column : hashes) {
            System.arraycopy(column, gone, column, 0, size);
        }
    }

    void read(ByteReader in) {
        size = in.varint();
        reserve(size);
        long time = 0;
        for (int i = 0; i < size; i++) {
            time += in.varlong();
            times[i] = time;
            amounts[i] = in.varlong();
            flags[i] = in.varint();
            for (int[] column : hashes) {
                column[i] = in.int32();
            }
        }
    }

    void write(ByteWriter out) {
        out.varlong(size);
        long time = 0;
        for (int i = 0; i < size; i++) {
            out.varlong(times[i] - time);
            time = times[i];
            out.varlong(amounts[i]);
            out.varlong(flags[i]);
            for (int[] column : hashes) {
                out.int32(column[i]);
            }
        }
    }

    private void reserve(int wanted) {
        if (wanted > times.length) {
            int length = Math.max(wanted, times.length * 2);
            times = Arrays.copyOf(times, length);
            amounts = Arrays.copyOf(amounts, length);
            flags = Arrays.copyOf(flags, length);
            for (int c = 0; c < hashes.length; c++) {
                hashes[c] = Arrays.copyOf(hashes[c], length);
            }
        }
    }
}
