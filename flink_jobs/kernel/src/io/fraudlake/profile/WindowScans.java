package io.fraudlake.profile;

import io.fraudlake.event.Bytes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The features of windows that no running sum can hold: each looks at the events themselves, once
 * for each transaction, at the newest {@link #MOST} that count.
 *
 * <p>So a busy key costs as little as any. Features of one window and filter share what they look
 * at; a plan that asks for none pays nothing.
 */
final class WindowScans {

    static final int MOST = 100;
    static final long DAY_MS = 86_400_000;
    /** A time of day is near another up to this far. */
    static final long NEAR_MS = 7_200_000;
    /** The median of deviations times this is the deviation of a normal distribution. */
    static final double NORMAL = 1.4826;

    private final List<Scan> scans = new ArrayList<>();
    private final AmountSort amountSort = new AmountSort(MOST);
    /** Of the events in sight, newest first until the amounts are sorted. */
    private final long[] times = new long[MOST];
    private final long[] amounts = new long[MOST];
    private int count;
    private boolean areSorted;

    private record Scan(Plan.Feature feature, int position, int column) {

        boolean sees(Scan other) {
            return feature.windowMs() == other.feature.windowMs()
                    && feature.filter() == other.feature.filter();
        }
    }

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
        Scan before = null;
        for (int s = 0; s < scans.size(); s++) {
            Scan scan = scans.get(s);
            if (scan.feature.excludesCurrent() != isBeforeCurrent) {
                continue;
            }
            // What a category's mean sees depends on the category, too.
            if (scan.column >= 0 || before == null || !scan.sees(before)) {
                look(scan, log, end, current);
                before = scan.column >= 0 ? null : scan;
            }
            features[scan.position] = value(scan, current);
        }
    }

    private void look(Scan scan, EventLog log, int end, Current current) {
        Plan.Feature feature = scan.feature;
        long horizon = current.time - feature.windowMs();
        int hash = scan.column < 0 ? 0 : current.hashes[scan.column];
        count = 0;
        areSorted = false;
        if (scan.column >= 0 && hash == 0) {
            return;
        }
        byte[] bytes = log.bytes();
        int width = log.width();
        int begin = log.at(0);
        int value = scan.column < 0 ? 0 : log.hashAt(end, scan.column);
        int oldestValue = scan.column < 0 ? Integer.MIN_VALUE : log.oldestHashAt(scan.column);
        for (int at = log.at(end) - width; at >= begin && count < MOST; at -= width) {
            long time = log.timeAt(bytes, at);
            value -= EventLog.HASH_BYTES;
            if (time <= horizon || value < oldestValue) {
                return;
            }
            boolean isCounted =
                    feature.filter() < 0 || (log.flagsAt(bytes, at) >>> feature.filter() & 1) != 0;
            if (isCounted && (scan.column < 0 || Bytes.getInt(bytes, value) == hash)) {
                times[count] = time;
                amounts[count++] = log.amountAt(bytes, at);
            }
        }
    }

    private double value(Scan scan, Current current) {
        if (count == 0) {
            return Double.NaN;
        }
        return switch (scan.feature.aggregate()) {
            case P95 -> percentile95();
            case ROBUST_Z -> robustZ(current.amount);
            case TIME_OF_DAY_SHARE -> timeOfDayShare(current.time);
            case CATEGORY_MEAN -> mean();
            default -> throw new IllegalStateException(scan.feature + " is not scanned");
        };
    }

    private void sortAmounts() {
        if (!areSorted) {
            amountSort.sort(amounts, count);
            areSorted = true;
        }
    }

    /** The smallest amount that 95 in 100 do not exceed. */
    private double percentile95() {
        sortAmounts();
        return amounts[(95 * count + 99) / 100 - 1] / 100.0;
    }

    private double robustZ(long amount) {
        sortAmounts();
        long twiceMedian = amounts[(count - 1) / 2] + amounts[count / 2];
        double deviation = medianDeviation(twiceMedian);
        return deviation == 0
                ? Double.NaN
                : (2 * amount - twiceMedian) / (NORMAL * deviation);
    }

    /** Twice the median of the distances to the median: they grow from the middle to both ends. */
    private double medianDeviation(long twiceMedian) {
        int low = (count - 1) / 2;
        int high = low + 1;
        long last = 0;
        long beforeLast = 0;
        for (int taken = 0; taken <= count / 2; taken++) {
            long below = low < 0 ? Long.MAX_VALUE : twiceMedian - 2 * amounts[low];
            long above = high == count ? Long.MAX_VALUE : 2 * amounts[high] - twiceMedian;
            beforeLast = last;
            last = Math.min(below, above);
            if (below <= above) {
                low--;
            } else {
                high++;
            }
        }
        return count % 2 == 1 ? last : (last + beforeLast) / 2.0;
    }

    private double timeOfDayShare(long time) {
        int near = 0;
        for (int i = 0; i < count; i++) {
            long apart = (time - times[i]) % DAY_MS; // none of them is later
            near += Math.min(apart, DAY_MS - apart) <= NEAR_MS ? 1 : 0;
        }
        return (double) near / count;
    }

    private double mean() {
        long sum = 0;
        for (int i = 0; i < count; i++) {
            sum += amounts[i];
        }
        return (double) sum / count / 100.0;
    }
}
