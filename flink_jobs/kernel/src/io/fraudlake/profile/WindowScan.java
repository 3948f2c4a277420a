package io.fraudlake.profile;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * All window aggregates of one event in a single walk back through its key's log.
 *
 * <p>Windows are nested, so the accumulators only ever grow: where the walk passes the left edge of
 * a window, the features of that window are read off. Features that share a filter, and whether
 * the current event counts, share their accumulators.
 */
final class WindowScan {

    private final long[] windows;
    private final List<Group> groups = new ArrayList<>();
    private final List<List<Output>> outputs = new ArrayList<>();

    private record Output(int feature, Plan.Aggregate aggregate, Group group, Distinct distinct) {}

    /** {@code logged}: the categories of the log's hash columns, in order. */
    WindowScan(Plan plan, int[] logged) {
        windows = plan.windows();
        for (long window : windows) {
            outputs.add(new ArrayList<>());
        }
        for (int i = 0; i < plan.features.size(); i++) {
            Plan.Feature feature = plan.features.get(i);
            if (feature.aggregate().isWindowed()) {
                int window = Arrays.binarySearch(windows, feature.windowMs());
                outputs.get(window).add(output(i, feature, logged));
            }
        }
    }

    private Output output(int position, Plan.Feature feature, int[] logged) {
        Group group = groupOf(feature.filter(), feature.excludesCurrent());
        Distinct distinct = null;
        if (feature.aggregate() == Plan.Aggregate.DISTINCT) {
            distinct = group.distinctOf(Arrays.binarySearch(logged, feature.category()));
        }
        return new Output(position, feature.aggregate(), group, distinct);
    }

    private Group groupOf(int filter, boolean excludesCurrent) {
        for (Group group : groups) {
            if (group.filter == filter && group.excludesCurrent == excludesCurrent) {
                return group;
            }
        }
        Group group = new Group(filter, excludesCurrent);
        groups.add(group);
        return group;
    }

    /** Fills the features of the event at {@code position} of the log; NaN stands for NULL. */
    void run(EventLog log, int position, double[] features) {
        for (Group group : groups) {
            group.reset();
        }
        long now = log.times[position];
        int window = 0;
        for (int i = position; i >= 0; i--) {
            while (window < windows.length && log.times[i] <= now - windows[window]) {
                readOff(window++, features);
            }
            if (window == windows.length) {
                return;
            }
            for (int g = 0; g < groups.size(); g++) {
                groups.get(g).add(log, i, i == position);
            }
        }
        while (window < windows.length) {
            readOff(window++, features);
        }
    }

    private void readOff(int window, double[] features) {
        for (Output output : outputs.get(window)) {
            features[output.feature] =
                    output.distinct != null
                            ? output.distinct.count
                            : output.group.value(output.aggregate);
        }
    }

    /** The accumulators of one filter. */
    private static final class Group {

        final int filter;
        final boolean excludesCurrent;
        final List<Distinct> distincts = new ArrayList<>();
        private long count;
        private long sum;
        private long min;
        private long max;
        private double mean;
        private double squares;

        Group(int filter, boolean excludesCurrent) {
            this.filter = filter;
            this.excludesCurrent = excludesCurrent;
        }

        Distinct distinctOf(int column) {
            for (Distinct distinct : distincts) {
                if (distinct.column == column) {
                    return distinct;
                }
            }
            Distinct distinct = new Distinct(column);
            distincts.add(distinct);
            return distinct;
        }

        void reset() {
            count = 0;
            sum = 0;
            min = Long.MAX_VALUE;
            max = Long.MIN_VALUE;
            mean = 0;
            squares = 0;
            for (int i = 0; i < distincts.size(); i++) {
                distincts.get(i).reset();
            }
        }

        void add(EventLog log, int i, boolean isCurrent) {
            boolean isWanted = filter < 0 || (log.flags[i] >>> filter & 1) != 0;
            if (!isWanted || excludesCurrent && isCurrent) {
                return;
            }
            long amount = log.amounts[i];
            count++;
            sum += amount;
            min = Math.min(min, amount);
            max = Math.max(max, amount);
            // Welford: the squares of cents would not stay exact in a double.
            double delta = amount - mean;
            mean += delta / count;
            squares += delta * (amount - mean);
            for (int d = 0; d < distincts.size(); d++) {
                Distinct distinct = distincts.get(d);
                distinct.add(log.hashes[distinct.column][i]);
            }
        }

        double value(Plan.Aggregate aggregate) {
            return switch (aggregate) {
                case COUNT -> count;
                case SUM -> sum / 100.0;
                case MEAN -> count == 0 ? Double.NaN : (double) sum / count / 100.0;
                case MIN -> count == 0 ? Double.NaN : min / 100.0;
                case MAX -> count == 0 ? Double.NaN : max / 100.0;
                case STDDEV -> count < 2 ? Double.NaN : Math.sqrt(squares / (count - 1)) / 100.0;
                default -> throw new IllegalStateException(aggregate + " is not a window aggregate");
            };
        }
    }

    /** Counts different hashes; 0 is no value. */
    private static final class Distinct {

        final int column;
        int count;
        private int[] slots = new int[64];

        Distinct(int column) {
            this.column = column;
        }

        void reset() {
            if (count > 0) {
                Arrays.fill(slots, 0);
                count = 0;
            }
        }

        void add(int hash) {
            if (hash == 0) {
                return;
            }
            if (count * 2 >= slots.length) {
                grow();
            }
            if (place(slots, hash)) {
                count++;
            }
        }

        private void grow() {
            int[] bigger = new int[slots.length * 2];
            for (int hash : slots) {
                if (hash != 0) {
                    place(bigger, hash);
                }
            }
            slots = bigger;
        }

        private static boolean place(int[] slots, int hash) {
            int mask = slots.length - 1;
            int i = hash & mask;
            while (slots[i] != 0) {
                if (slots[i] == hash) {
                    return false;
                }
                i = i + 1 & mask;
            }
            slots[i] = hash;
            return true;
        }
    }
}
