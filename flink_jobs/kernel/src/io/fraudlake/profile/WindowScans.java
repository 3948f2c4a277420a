package io.fraudlake.profile;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The features of windows that no running sum can hold: each looks at the events themselves, once
 * for each transaction. Of a key that is busier than its log can hold, they see the newest {@link
 * EventLog#CAPACITY} events.
 *
 * <p>A plan that asks for none of them pays nothing; one that does pays for a sorted copy of the
 * window's amounts, or a walk through it.
 */
final class WindowScans {

    static final long DAY_MS = 86_400_000;
    /** A time of day is near another up to this far. */
    static final long NEAR_MS = 7_200_000;
    /** The median of deviations times this is the deviation of a normal distribution. */
    static final double NORMAL = 1.4826;

    private final List<Scan> scans = new ArrayList<>();
    private final long[] scratch = new long[EventLog.CAPACITY + 1];

    private record Scan(Plan.Feature feature, int position, int column) {}

    /** What a scan asks of the event that is decided; {@code hashes}: of the logged categories. */
    record Current(long time, long amount, int[] hashes) {}

    /** {@code logged}: the categories of the log's hash columns, in order. */
    WindowScans(Plan plan, int[] logged) {
        for (int i = 0; i < plan.features.size(); i++) {
            Plan.Feature feature = plan.features.get(i);
            if (feature.aggregate().isScanned()) {
                scans.add(new Scan(feature, i, Arrays.binarySearch(logged, feature.category())));
            }
        }
    }

    /** Whether the plan asks for any. */
    boolean exist() {
        return !scans.isEmpty();
    }

    /**
     * As of the current event's time, over the first {@code end} events of the log: before it is
     * among them the features that leave it out, else the others.
     */
    void readOff(
            double[] features, EventLog log, int end, Current current, boolean isBeforeCurrent) {
        for (int s = 0; s < scans.size(); s++) {
            Scan scan = scans.get(s);
            if (scan.feature.excludesCurrent() == isBeforeCurrent) {
                features[scan.position] = value(scan, log, end, current);
            }
        }
    }

    private double value(Scan scan, EventLog log, int end, Current current) {
        int begin = log.firstAfter(current.time - scan.feature.windowMs(), end);
        return switch (scan.feature.aggregate()) {
            case P95 -> percentile95(sortedAmounts(scan, log, begin, end));
            case ROBUST_Z -> robustZ(sortedAmounts(scan, log, begin, end), current.amount);
            case TIME_OF_DAY_SHARE -> timeOfDayShare(scan, log, begin, end, current.time);
            case CATEGORY_MEAN -> categoryMean(scan, log, begin, end, current.hashes[scan.column]);
            default -> throw new IllegalStateException(scan.feature + " is not scanned");
        };
    }

    private static boolean isCounted(Scan scan, EventLog log, int i) {
        int filter = scan.feature.filter();
        return filter < 0 || (log.flags(i) >>> filter & 1) != 0;
    }

    /** How many amounts now lie in {@code scratch}, in ascending order. */
    private int sortedAmounts(Scan scan, EventLog log, int begin, int end) {
        int count = 0;
        for (int i = begin; i < end; i++) {
            if (isCounted(scan, log, i)) {
                scratch[count++] = log.amount(i);
            }
        }
        Arrays.sort(scratch, 0, count);
        return count;
    }

    /** The smallest amount that 95 in 100 do not exceed. */
    private double percentile95(int count) {
        return count == 0 ? Double.NaN : scratch[(95 * count + 99) / 100 - 1] / 100.0;
    }

    private double robustZ(int count, long amount) {
        if (count == 0) {
            return Double.NaN;
        }
        long median = twiceMedian(count);
        for (int i = 0; i < count; i++) {
            scratch[i] = Math.abs(2 * scratch[i] - median);
        }
        Arrays.sort(scratch, 0, count);
        double deviation = twiceMedian(count) / 2.0;
        return deviation == 0 ? Double.NaN : (2 * amount - median) / (NORMAL * deviation);
    }

    /** Twice, so that it is whole between two amounts, too. */
    private long twiceMedian(int count) {
        return scratch[(count - 1) / 2] + scratch[count / 2];
    }

    private double timeOfDayShare(Scan scan, EventLog log, int begin, int end, long time) {
        int all = 0;
        int near = 0;
        for (int i = begin; i < end; i++) {
            if (isCounted(scan, log, i)) {
                long apart = Math.floorMod(log.time(i) - time, DAY_MS);
                near += Math.min(apart, DAY_MS - apart) <= NEAR_MS ? 1 : 0;
                all++;
            }
        }
        return all == 0 ? Double.NaN : (double) near / all;
    }

    private double categoryMean(Scan scan, EventLog log, int begin, int end, int hash) {
        long sum = 0;
        int count = 0;
        for (int i = begin; hash != 0 && i < end; i++) {
            if (log.hash(i, scan.column) == hash && isCounted(scan, log, i)) {
                sum += log.amount(i);
                count++;
            }
        }
        return count == 0 ? Double.NaN : (double) sum / count / 100.0;
    }
}
