package io.fraudlake.profile;

import io.fraudlake.StateLayouts;
import io.fraudlake.event.Bytes;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How many of a key's transactions turned out to be fraud, by whole days (UTC).
 *
 * <p>Counts of transactions are kept for each day, as far back as the longest window with its delay
 * reaches; confirmed frauds one by one, with the times between which they were known as such, so
 * that a transaction sees what was known when it happened, whenever it is decided. Beyond {@link
 * #MOST_FRAUDS} the oldest become mere counts of their day.
 *
 * <pre>
 * 0 version   4 newest day   8 how many days   12 how many frauds   16 how many days are kept
 * 20 days: number, transactions, frauds no longer kept one by one
 * then frauds: hash of the transaction's id, day, known from, known until
 * </pre>
 */
final class FraudHistory {

    static final int MOST_FRAUDS = 256;
    private static final String LAYOUT = "frauds";
    private static final byte VERSION = StateLayouts.written(LAYOUT);
    private static final int NEWEST = 4;
    private static final int DAYS = 8;
    private static final int FRAUDS = 12;
    private static final int KEPT = 16;
    private static final int HEADER = 20;
    private static final int DAY_BYTES = 12;
    private static final int FRAUD_BYTES = 28;
    private static final int FRAUD_DAY = 8;
    private static final int FROM = 12;
    private static final int UNTIL = 20;
    private static final int NO_DAY = Integer.MIN_VALUE;
    private static final long DAY_MS = 86_400_000;

    private final List<Plan.Feature> features;
    private final int[] wanted;
    private final int kept;

    FraudHistory(Plan plan) {
        features = plan.features;
        wanted = plan.positionsOf(Plan.Aggregate::isOfLabels);
        kept = IntStream.of(wanted).map(i -> days(features.get(i).reachMs())).max().orElse(0);
    }

    /** Whether the plan asks for any of it. */
    boolean isWanted() {
        return wanted.length > 0;
    }

    /** The features of a transaction at {@code time}; it is not among those counted. */
    void readOff(double[] values, byte[] stored, long time) {
        int today = days(time);
        for (int i : wanted) {
            Plan.Feature feature = features.get(i);
            int end = today - days(feature.delayMs());
            int begin = end - days(feature.windowMs());
            long frauds = stored == null ? 0 : frauds(stored, begin, end, time);
            if (feature.aggregate() == Plan.Aggregate.FRAUD_COUNT) {
                values[i] = frauds;
            } else {
                long all = Math.max(frauds, stored == null ? 0 : transactions(stored, begin, end));
                double weight = feature.priorWeight();
                values[i] = (frauds + weight * feature.prior()) / (all + weight);
            }
        }
    }

    /** Counts a transaction, and lets go of days that no window reaches any longer. */
    byte[] count(byte[] stored, long time) {
        byte[] bytes = stored == null ? create() : checked(stored);
        Bytes.putInt(bytes, KEPT, kept);
        int day = days(time);
        int newest = Math.max(day, Bytes.getInt(bytes, NEWEST));
        if (newest != Bytes.getInt(bytes, NEWEST)) {
            bytes = withoutBefore(bytes, newest - kept);
            Bytes.putInt(bytes, NEWEST, newest);
        }
        return day < newest - kept ? bytes : added(bytes, day, 1, 0);
    }

    /** Takes a label; a genuine one of a transaction never called a fraud changes nothing. */
    byte[] learn(byte[] stored, long hash, long time, boolean isFraud, long labelTime) {
        int at = stored == null ? -1 : find(checked(stored), hash);
        if (at >= 0) {
            relabel(stored, at, isFraud, labelTime);
            return stored;
        }
        int day = days(time);
        boolean isOver = stored != null && day < (long) Bytes.getInt(stored, NEWEST) - kept;
        if (!isFraud || isOver) {
            return stored;
        }
        return withFraud(stored == null ? create() : stored, hash, day, labelTime);
    }

    /** When no window reaches anything of it; {@code stored} is not null. */
    static long idleAt(byte[] stored) {
        int newest = Bytes.getInt(checked(stored), NEWEST);
        for (int f = 0; f < Bytes.getInt(stored, FRAUDS); f++) {
            newest = Math.max(newest, Bytes.getInt(stored, fraud(stored, f) + FRAUD_DAY));
        }
        return (newest + Bytes.getInt(stored, KEPT) + 1L) * DAY_MS;
    }

    private static int days(long ms) {
        return (int) Math.floorDiv(ms, DAY_MS);
    }

    private byte[] create() {
        byte[] bytes = new byte[HEADER];
        bytes[0] = VERSION;
        Bytes.putInt(bytes, NEWEST, NO_DAY);
        Bytes.putInt(bytes, KEPT, kept);
        return bytes;
    }

    private static byte[] checked(byte[] stored) {
        if (stored[0] != VERSION) {
            StateLayouts.check(LAYOUT, stored[0]);
        }
        return stored;
    }

    private static int day(int d) {
        return HEADER + DAY_BYTES * d;
    }

    private static int fraud(byte[] bytes, int f) {
        return HEADER + DAY_BYTES * Bytes.getInt(bytes, DAYS) + FRAUD_BYTES * f;
    }

    private static int find(byte[] bytes, long hash) {
        for (int f = Bytes.getInt(bytes, FRAUDS) - 1; f >= 0; f--) {
            if (Bytes.getLong(bytes, fraud(bytes, f)) == hash) {
                return fraud(bytes, f);
            }
        }
        return -1;
    }

    private static long transactions(byte[] bytes, int begin, int end) {
        long sum = 0;
        for (int d = 0; d < Bytes.getInt(bytes, DAYS); d++) {
            int number = Bytes.getInt(bytes, day(d));
            sum += number >= begin && number < end ? Bytes.getInt(bytes, day(d) + 4) : 0;
        }
        return sum;
    }

    private static long frauds(byte[] bytes, int begin, int end, long time) {
        long sum = 0;
        for (int d = 0; d < Bytes.getInt(bytes, DAYS); d++) {
            int number = Bytes.getInt(bytes, day(d));
            sum += number >= begin && number < end ? Bytes.getInt(bytes, day(d) + 8) : 0;
        }
        for (int f = 0; f < Bytes.getInt(bytes, FRAUDS); f++) {
            int at = fraud(bytes, f);
            int number = Bytes.getInt(bytes, at + FRAUD_DAY);
            boolean isKnown =
                    Bytes.getLong(bytes, at + FROM) <= time
                            && time < Bytes.getLong(bytes, at + UNTIL);
            sum += number >= begin && number < end && isKnown ? 1 : 0;
        }
        return sum;
    }

    /** A fraud from its label on, until one that calls it genuine; after that a new one begins. */
    private static void relabel(byte[] bytes, int at, boolean isFraud, long labelTime) {
        long from = Bytes.getLong(bytes, at + FROM);
        long until = Bytes.getLong(bytes, at + UNTIL);
        boolean isOpen = until == Long.MAX_VALUE;
        if (!isFraud) {
            Bytes.putLong(bytes, at + UNTIL, Math.min(until, labelTime));
        } else if (isOpen) {
            Bytes.putLong(bytes, at + FROM, Math.min(from, labelTime));
        } else {
            Bytes.putLong(bytes, at + FROM, labelTime);
            Bytes.putLong(bytes, at + UNTIL, Long.MAX_VALUE);
        }
    }

    private static byte[] withFraud(byte[] bytes, long hash, int day, long labelTime) {
        byte[] roomy = Bytes.getInt(bytes, FRAUDS) < MOST_FRAUDS ? bytes : withoutOldest(bytes);
        byte[] longer = Arrays.copyOf(roomy, roomy.length + FRAUD_BYTES);
        Bytes.putLong(longer, roomy.length, hash);
        Bytes.putInt(longer, roomy.length + FRAUD_DAY, day);
        Bytes.putLong(longer, roomy.length + FROM, labelTime);
        Bytes.putLong(longer, roomy.length + UNTIL, Long.MAX_VALUE);
        Bytes.putInt(longer, FRAUDS, Bytes.getInt(roomy, FRAUDS) + 1);
        return longer;
    }

    /** The first to be labelled becomes a count of its day, unless it was taken back. */
    private static byte[] withoutOldest(byte[] bytes) {
        int at = fraud(bytes, 0);
        int day = Bytes.getInt(bytes, at + FRAUD_DAY);
        boolean isFraud = Bytes.getLong(bytes, at + UNTIL) == Long.MAX_VALUE;
        byte[] shorter = cut(bytes, at, FRAUD_BYTES);
        Bytes.putInt(shorter, FRAUDS, Bytes.getInt(bytes, FRAUDS) - 1);
        return isFraud ? added(shorter, day, 0, 1) : shorter;
    }

    private static byte[] added(byte[] bytes, int day, int transactions, int frauds) {
        int d = Bytes.getInt(bytes, DAYS);
        while (d > 0 && Bytes.getInt(bytes, day(d - 1)) > day) {
            d--;
        }
        boolean isThere = d > 0 && Bytes.getInt(bytes, day(d - 1)) == day;
        byte[] counted = isThere ? bytes : withDay(bytes, d, day);
        int at = day(isThere ? d - 1 : d);
        Bytes.putInt(counted, at + 4, Bytes.getInt(counted, at + 4) + transactions);
        Bytes.putInt(counted, at + 8, Bytes.getInt(counted, at + 8) + frauds);
        return counted;
    }

    private static byte[] withDay(byte[] bytes, int d, int day) {
        byte[] longer = Arrays.copyOf(bytes, bytes.length + DAY_BYTES);
        System.arraycopy(bytes, day(d), longer, day(d + 1), bytes.length - day(d));
        Arrays.fill(longer, day(d), day(d + 1), (byte) 0);
        Bytes.putInt(longer, day(d), day);
        Bytes.putInt(longer, DAYS, Bytes.getInt(bytes, DAYS) + 1);
        return longer;
    }

    private static byte[] withoutBefore(byte[] bytes, int first) {
        int gone = 0;
        while (gone < Bytes.getInt(bytes, DAYS) && Bytes.getInt(bytes, day(gone)) < first) {
            gone++;
        }
        byte[] kept = bytes;
        if (gone > 0) {
            kept = cut(bytes, HEADER, DAY_BYTES * gone);
            Bytes.putInt(kept, DAYS, Bytes.getInt(bytes, DAYS) - gone);
        }
        for (int f = Bytes.getInt(kept, FRAUDS) - 1; f >= 0; f--) {
            if (Bytes.getInt(kept, fraud(kept, f) + FRAUD_DAY) < first) {
                int left = Bytes.getInt(kept, FRAUDS) - 1;
                kept = cut(kept, fraud(kept, f), FRAUD_BYTES);
                Bytes.putInt(kept, FRAUDS, left);
            }
        }
        return kept;
    }

    private static byte[] cut(byte[] bytes, int at, int length) {
        byte[] shorter = Arrays.copyOf(bytes, bytes.length - length);
        System.arraycopy(bytes, at + length, shorter, at, bytes.length - at - length);
        return shorter;
    }
}
