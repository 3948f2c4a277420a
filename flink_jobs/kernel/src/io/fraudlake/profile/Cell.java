package io.fraudlake.profile;

/**
 * The aggregates of one window under one filter: count, sum and sum of squares exactly, in minor
 * units, the extremes, and how many different values each logged category has.
 */
final class Cell {

    private static final int COUNT = 0;
    private static final int SUM = 8;
    private static final int SQUARES_LOW = 16;
    private static final int SQUARES_HIGH = 24;
    private static final int MIN = 32;
    private static final int MAX = 40;
    private static final int DISTINCT = 48;

    final int filter;
    final int columns;
    boolean isDistinctWanted;
    boolean areExtremesWanted;
    int offset;

    Cell(int filter, int columns) {
        this.filter = filter;
        this.columns = columns;
    }

    int width() {
        return DISTINCT + (isDistinctWanted ? 4 * columns : 0);
    }

    private boolean wants(EventLog log, int i) {
        return filter < 0 || (log.flags(i) >>> filter & 1) != 0;
    }

    /** Event {@code i}, the newest; {@code edge}: the first event of the window. */
    void add(byte[] bytes, int base, EventLog log, int i, int edge) {
        if (!wants(log, i)) {
            return;
        }
        int at = base + offset;
        addAmount(bytes, at, log.amount(i));
        for (int c = 0; isDistinctWanted && c < columns; c++) {
            int hash = log.hash(i, c);
            if (hash != 0 && !occurs(log, hash, c, edge, i)) {
                addTo(bytes, at + DISTINCT + 4 * c, 1);
            }
        }
    }

    /** Event {@code i}, the oldest, leaves; the window goes on up to {@code end}. */
    void remove(byte[] bytes, int base, EventLog log, int i, int end) {
        if (!wants(log, i)) {
            return;
        }
        int at = base + offset;
        long amount = log.amount(i);
        long count = Bytes.getLong(bytes, at + COUNT) - 1;
        Bytes.putLong(bytes, at + COUNT, count);
        Bytes.putLong(bytes, at + SUM, Bytes.getLong(bytes, at + SUM) - amount);
        long low = Bytes.getLong(bytes, at + SQUARES_LOW);
        long square = amount * amount;
        long borrow = Long.compareUnsigned(low, square) < 0 ? 1 : 0;
        Bytes.putLong(bytes, at + SQUARES_LOW, low - square);
        long high = Bytes.getLong(bytes, at + SQUARES_HIGH);
        Bytes.putLong(
                bytes, at + SQUARES_HIGH, high - Math.multiplyHigh(amount, amount) - borrow);
        boolean isExtreme =
                amount == Bytes.getLong(bytes, at + MIN) || amount == Bytes.getLong(bytes, at + MAX);
        if (areExtremesWanted && count > 0 && isExtreme) {
            findExtremes(bytes, at, log, i + 1, end);
        }
        for (int c = 0; isDistinctWanted && c < columns; c++) {
            int hash = log.hash(i, c);
            if (hash != 0 && !occurs(log, hash, c, i + 1, end)) {
                addTo(bytes, at + DISTINCT + 4 * c, -1);
            }
        }
    }

    /** All events from {@code edge} up to {@code end}, into a cell of zeros. */
    void count(byte[] bytes, int base, EventLog log, int edge, int end, HashSet32 scratch) {
        int at = base + offset;
        for (int i = edge; i < end; i++) {
            if (wants(log, i)) {
                addAmount(bytes, at, log.amount(i));
            }
        }
        for (int c = 0; isDistinctWanted && c < columns; c++) {
            scratch.clear();
            for (int i = edge; i < end; i++) {
                int hash = log.hash(i, c);
                if (hash != 0 && wants(log, i) && scratch.add(hash)) {
                    addTo(bytes, at + DISTINCT + 4 * c, 1);
                }
            }
        }
    }

    private static void addAmount(byte[] bytes, int at, long amount) {
        long count = Bytes.getLong(bytes, at + COUNT);
        Bytes.putLong(bytes, at + COUNT, count + 1);
        Bytes.putLong(bytes, at + SUM, Bytes.getLong(bytes, at + SUM) + amount);
        long low = Bytes.getLong(bytes, at + SQUARES_LOW) + amount * amount;
        long carry = Long.compareUnsigned(low, amount * amount) < 0 ? 1 : 0;
        Bytes.putLong(bytes, at + SQUARES_LOW, low);
        long high = Bytes.getLong(bytes, at + SQUARES_HIGH);
        Bytes.putLong(bytes, at + SQUARES_HIGH, high + Math.multiplyHigh(amount, amount) + carry);
        if (count == 0 || amount < Bytes.getLong(bytes, at + MIN)) {
            Bytes.putLong(bytes, at + MIN, amount);
        }
        if (count == 0 || amount > Bytes.getLong(bytes, at + MAX)) {
            Bytes.putLong(bytes, at + MAX, amount);
        }
    }

    private void findExtremes(byte[] bytes, int at, EventLog log, int from, int end) {
        long min = Long.MAX_VALUE;
        long max = Long.MIN_VALUE;
        for (int i = from; i < end; i++) {
            if (wants(log, i)) {
                min = Math.min(min, log.amount(i));
                max = Math.max(max, log.amount(i));
            }
        }
        Bytes.putLong(bytes, at + MIN, min);
        Bytes.putLong(bytes, at + MAX, max);
    }

    private boolean occurs(EventLog log, int hash, int column, int from, int end) {
        for (int i = end - 1; i >= from; i--) {
            if (log.hash(i, column) == hash && wants(log, i)) {
                return true;
            }
        }
        return false;
    }

    private static void addTo(byte[] bytes, int at, int change) {
        Bytes.putInt(bytes, at, Bytes.getInt(bytes, at) + change);
    }

    /** NaN stands for NULL; money in major units. */
    double value(byte[] bytes, int base, Plan.Aggregate aggregate, int column) {
        int at = base + offset;
        long count = Bytes.getLong(bytes, at + COUNT);
        return switch (aggregate) {
            case COUNT -> count;
            case SUM -> Bytes.getLong(bytes, at + SUM) / 100.0;
            case MEAN -> count == 0
                    ? Double.NaN
                    : (double) Bytes.getLong(bytes, at + SUM) / count / 100.0;
            case MIN -> count == 0 ? Double.NaN : Bytes.getLong(bytes, at + MIN) / 100.0;
            case MAX -> count == 0 ? Double.NaN : Bytes.getLong(bytes, at + MAX) / 100.0;
            case STDDEV -> count < 2 ? Double.NaN : deviation(bytes, at, count);
            case DISTINCT -> Bytes.getInt(bytes, at + DISTINCT + 4 * column);
            default -> throw new IllegalStateException(aggregate + " is not a window aggregate");
        };
    }

    /**
     * Sample deviation. {@code n * squares - sum^2} is exact in 128 bits: at most 1000 events of at
     * most 10^14 minor units each.
     */
    private static double deviation(byte[] bytes, int at, long n) {
        long low = Bytes.getLong(bytes, at + SQUARES_LOW);
        long high = Bytes.getLong(bytes, at + SQUARES_HIGH);
        long sum = Bytes.getLong(bytes, at + SUM);
        long scaledLow = n * low;
        // The low word counts as unsigned; multiplyHigh reads it as signed.
        long scaledHigh = n * high + Math.multiplyHigh(n, low) + (low < 0 ? n : 0);
        long squareLow = sum * sum;
        long squareHigh = Math.multiplyHigh(sum, sum);
        long borrow = Long.compareUnsigned(scaledLow, squareLow) < 0 ? 1 : 0;
        long differenceLow = scaledLow - squareLow;
        long differenceHigh = scaledHigh - squareHigh - borrow;
        double unsignedLow = (differenceLow >>> 1) * 2.0 + (differenceLow & 1);
        double difference = differenceHigh * 0x1p64 + unsignedLow;
        return Math.sqrt(difference / ((double) n * (n - 1))) / 100.0;
    }
}
