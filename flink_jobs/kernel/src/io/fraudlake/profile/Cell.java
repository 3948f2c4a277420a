package io.fraudlake.profile;

import io.fraudlake.event.Bytes;
import java.math.BigInteger;
import java.util.Arrays;

/**
 * The aggregates of one window under one filter, as far as a feature asks for them: the count, the
 * sum and the sum of squares exactly, in minor units, the extremes, and how many different values a
 * category has.
 */
final class Cell {

    private static final int COUNT = 0;
    private static final int COUNT_BYTES = 4;
    private static final int NONE = -1;
    /** Of 10^14 minor units each. */
    private static final int MOST_IN_128_BITS = 1000;

    final int filter;
    private int[] columns = {};
    private int sum = -1;
    private int squares = -1;
    private int extremes = -1;
    private int distinct;
    private int width;
    private int offset;

    Cell(int filter) {
        this.filter = filter;
    }

    /** Makes room for what {@code aggregate} needs; {@code column} is a logged category, or -1. */
    void want(Plan.Aggregate aggregate, int column) {
        switch (aggregate) {
            case SUM, MEAN -> sum = 0;
            case STDDEV -> sum = squares = 0;
            case MIN, MAX -> extremes = 0;
            case DISTINCT -> {
                if (indexOf(column) < 0) {
                    columns = Arrays.copyOf(columns, columns.length + 1);
                    columns[columns.length - 1] = column;
                }
            }
            default -> { }
        }
    }

    /** Fixes where everything lies; the first byte behind the cell. */
    int layOut(int begin) {
        offset = begin;
        int next = COUNT + COUNT_BYTES;
        if (sum >= 0) {
            sum = next;
            next += 8;
        }
        if (squares >= 0) {
            squares = next;
            next += 16;
        }
        if (extremes >= 0) {
            extremes = next;
            next += 16;
        }
        distinct = next;
        width = next + 4 * columns.length;
        return offset + width;
    }

    boolean hasExtremes() {
        return extremes >= 0;
    }

    int indexOf(int column) {
        for (int c = 0; c < columns.length; c++) {
            if (columns[c] == column) {
                return c;
            }
        }
        return -1;
    }

    boolean wants(EventLog log, int i) {
        return filter < 0 || (log.flags(i) >>> filter & 1) != 0;
    }

    /** Event {@code i} comes to the events from {@code from} up to {@code to}. */
    void add(byte[] bytes, int base, EventLog log, int i, int from, int to) {
        if (wants(log, i)) {
            addAmount(bytes, base + offset, log.amount(i));
            changeDistinct(bytes, base + offset, log, i, from, to, 1);
        }
    }

    /** Event {@code i} leaves; those from {@code from} up to {@code to} stay. */
    void remove(byte[] bytes, int base, EventLog log, int i, int from, int to) {
        if (!wants(log, i)) {
            return;
        }
        int at = base + offset;
        long amount = log.amount(i);
        addTo(bytes, at + COUNT, -1);
        if (sum >= 0) {
            Bytes.putLong(bytes, at + sum, Bytes.getLong(bytes, at + sum) - amount);
        }
        if (squares >= 0) {
            long high = Math.multiplyHigh(amount, amount);
            subtract128(bytes, at + squares, high, amount * amount);
        }
        if (extremes >= 0
                && (amount == Bytes.getLong(bytes, at + extremes)
                        || amount == Bytes.getLong(bytes, at + extremes + 8))) {
            findExtremes(bytes, at + extremes, log, from, to, i);
        }
        changeDistinct(bytes, at, log, i, from, to, -1);
    }

    /** Event {@code i} leaves the log for the pane at {@code pane}; it stays in the window. */
    void moveToPane(
            byte[] bytes, int base, EventLog log, int i, int to, byte[] rings, int pane) {
        if (wants(log, i)) {
            addAmount(rings, pane, log.amount(i));
            changeDistinct(bytes, base + offset, log, i, i + 1, to, -1);
        }
    }

    /** What the pane holds has left the window; extremes are found anew elsewhere. */
    void removePane(byte[] bytes, int base, byte[] rings, int pane) {
        int at = base + offset;
        addTo(bytes, at + COUNT, -Bytes.getInt(rings, pane + COUNT));
        if (sum >= 0) {
            long rest = Bytes.getLong(bytes, at + sum) - Bytes.getLong(rings, pane + sum);
            Bytes.putLong(bytes, at + sum, rest);
        }
        if (squares >= 0) {
            long low = Bytes.getLong(rings, pane + squares);
            subtract128(bytes, at + squares, Bytes.getLong(rings, pane + squares + 8), low);
        }
    }

    /** What the pane holds comes to the window; extremes are found anew elsewhere. */
    void addPane(byte[] bytes, int base, byte[] rings, int pane) {
        int at = base + offset;
        addTo(bytes, at + COUNT, Bytes.getInt(rings, pane + COUNT));
        if (sum >= 0) {
            long more = Bytes.getLong(bytes, at + sum) + Bytes.getLong(rings, pane + sum);
            Bytes.putLong(bytes, at + sum, more);
        }
        if (squares >= 0) {
            long low = Bytes.getLong(rings, pane + squares);
            add128(bytes, at + squares, Bytes.getLong(rings, pane + squares + 8), low);
        }
    }

    /** The extremes of the events from {@code from} up to {@code to}, before panes count, too. */
    void findExtremes(byte[] bytes, int base, EventLog log, int from, int to) {
        if (extremes >= 0) {
            findExtremes(bytes, base + offset + extremes, log, from, to, NONE);
        }
    }

    /** Lets the extremes reach out to those of a pane. */
    void includeExtremes(byte[] bytes, int base, byte[] rings, int pane) {
        if (extremes >= 0 && Bytes.getInt(rings, pane + COUNT) > 0) {
            int min = base + offset + extremes;
            long low = Bytes.getLong(rings, pane + extremes);
            long high = Bytes.getLong(rings, pane + extremes + 8);
            Bytes.putLong(bytes, min, Math.min(Bytes.getLong(bytes, min), low));
            Bytes.putLong(bytes, min + 8, Math.max(Bytes.getLong(bytes, min + 8), high));
        }
    }

    /** Bytes of the cell in a pane, which has sketches instead of counts of different values. */
    int paneWidth() {
        return distinct;
    }

    /** The logged categories whose different values the cell counts. */
    int[] columns() {
        return columns;
    }

    private void changeDistinct(
            byte[] bytes, int at, EventLog log, int i, int from, int to, int change) {
        for (int c = 0; c < columns.length; c++) {
            int hash = log.hash(i, columns[c]);
            if (hash != 0 && !occurs(log, hash, columns[c], from, to, i)) {
                addTo(bytes, at + distinct + 4 * c, change);
            }
        }
    }

    /** Only the events from {@code from} up to {@code to}. */
    void count(byte[] bytes, int base, EventLog log, int from, int to, HashSet32 scratch) {
        int at = base + offset;
        Arrays.fill(bytes, at, at + width, (byte) 0);
        for (int i = from; i < to; i++) {
            if (wants(log, i)) {
                addAmount(bytes, at, log.amount(i));
            }
        }
        for (int c = 0; c < columns.length; c++) {
            scratch.clear();
            for (int i = from; i < to; i++) {
                int hash = log.hash(i, columns[c]);
                if (hash != 0 && wants(log, i) && scratch.add(hash)) {
                    addTo(bytes, at + distinct + 4 * c, 1);
                }
            }
        }
    }

    private void addAmount(byte[] bytes, int at, long amount) {
        int count = Bytes.getInt(bytes, at + COUNT);
        Bytes.putInt(bytes, at + COUNT, count + 1);
        if (sum >= 0) {
            Bytes.putLong(bytes, at + sum, Bytes.getLong(bytes, at + sum) + amount);
        }
        if (squares >= 0) {
            add128(bytes, at + squares, Math.multiplyHigh(amount, amount), amount * amount);
        }
        if (extremes >= 0) {
            int min = at + extremes;
            if (count == 0 || amount < Bytes.getLong(bytes, min)) {
                Bytes.putLong(bytes, min, amount);
            }
            if (count == 0 || amount > Bytes.getLong(bytes, min + 8)) {
                Bytes.putLong(bytes, min + 8, amount);
            }
        }
    }

    private static void add128(byte[] bytes, int at, long high, long low) {
        long sum = Bytes.getLong(bytes, at) + low;
        long carry = Long.compareUnsigned(sum, low) < 0 ? 1 : 0;
        Bytes.putLong(bytes, at, sum);
        Bytes.putLong(bytes, at + 8, Bytes.getLong(bytes, at + 8) + high + carry);
    }

    private static void subtract128(byte[] bytes, int at, long high, long low) {
        long before = Bytes.getLong(bytes, at);
        long borrow = Long.compareUnsigned(before, low) < 0 ? 1 : 0;
        Bytes.putLong(bytes, at, before - low);
        Bytes.putLong(bytes, at + 8, Bytes.getLong(bytes, at + 8) - high - borrow);
    }

    private void findExtremes(byte[] bytes, int at, EventLog log, int from, int to, int except) {
        long min = Long.MAX_VALUE;
        long max = Long.MIN_VALUE;
        for (int i = from; i < to; i++) {
            if (i != except && wants(log, i)) {
                long amount = log.amount(i);
                min = Math.min(min, amount);
                max = Math.max(max, amount);
            }
        }
        Bytes.putLong(bytes, at, min);
        Bytes.putLong(bytes, at + 8, max);
    }

    private boolean occurs(EventLog log, int hash, int column, int from, int to, int except) {
        for (int i = to - 1; i >= from; i--) {
            if (log.hash(i, column) == hash && i != except && wants(log, i)) {
                return true;
            }
        }
        return false;
    }

    private static void addTo(byte[] bytes, int at, int change) {
        Bytes.putInt(bytes, at, Bytes.getInt(bytes, at) + change);
    }

    /** NaN stands for NULL; money in major units. {@code column}: the logged category, or -1. */
    double value(byte[] bytes, int base, Plan.Aggregate aggregate, int column) {
        int at = base + offset;
        int count = Bytes.getInt(bytes, at + COUNT);
        return switch (aggregate) {
            case COUNT -> count;
            case SUM -> Bytes.getLong(bytes, at + sum) / 100.0;
            case MEAN -> count == 0
                    ? Double.NaN
                    : (double) Bytes.getLong(bytes, at + sum) / count / 100.0;
            case MIN -> count == 0 ? Double.NaN : Bytes.getLong(bytes, at + extremes) / 100.0;
            case MAX -> count == 0 ? Double.NaN : Bytes.getLong(bytes, at + extremes + 8) / 100.0;
            case STDDEV -> count < 2 ? Double.NaN : deviation(bytes, at, count);
            case DISTINCT -> Bytes.getInt(bytes, at + distinct + 4 * indexOf(column));
            default -> throw new IllegalStateException(aggregate + " is not a window aggregate");
        };
    }

    /** Sample deviation; {@code n * squares - sum^2} is exact before the last steps. */
    private double deviation(byte[] bytes, int at, int n) {
        long low = Bytes.getLong(bytes, at + squares);
        long high = Bytes.getLong(bytes, at + squares + 8);
        long total = Bytes.getLong(bytes, at + sum);
        return Math.sqrt(spread(n, high, low, total) / ((double) n * (n - 1))) / 100.0;
    }

    /** In 128 bits as long as they hold it; by BigInteger beyond. */
    private static double spread(long n, long high, long low, long total) {
        if (n > MOST_IN_128_BITS) {
            BigInteger unsigned = new BigInteger(Long.toUnsignedString(low));
            BigInteger all = BigInteger.valueOf(high).shiftLeft(Long.SIZE).add(unsigned);
            BigInteger square = BigInteger.valueOf(total).pow(2);
            return all.multiply(BigInteger.valueOf(n)).subtract(square).doubleValue();
        }
        long scaledLow = n * low;
        // The low word counts as unsigned; multiplyHigh reads it as signed.
        long scaledHigh = n * high + Math.multiplyHigh(n, low) + (low < 0 ? n : 0);
        long squareLow = total * total;
        long squareHigh = Math.multiplyHigh(total, total);
        long borrow = Long.compareUnsigned(scaledLow, squareLow) < 0 ? 1 : 0;
        long differenceLow = scaledLow - squareLow;
        long differenceHigh = scaledHigh - squareHigh - borrow;
        return differenceHigh * 0x1p64 + (differenceLow >>> 1) * 2.0 + (differenceLow & 1);
    }
}
