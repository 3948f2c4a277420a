package io.fraudlake.profile;

import io.fraudlake.event.Bytes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The running aggregates of a key's windows, kept in its bytes.
 *
 * <p>For each window the position of its first event (its edge) and its {@link Cell}s. An event is
 * added once and leaves each window once, so counts and sums cost O(1) amortised. Looking for the
 * next extreme, or for another event with the same value, goes through the window, which holds at
 * most {@link EventLog#CAPACITY} events. What a late event sees, the windows as of its own time, is
 * worked out on a copy, from the events by which those windows differ from the running ones.
 */
final class WindowAggregates {

    private static final int EDGE_BYTES = 4;
    /** Up to so many events a window is moved; beyond, counting it anew is cheaper. */
    private static final int MOVED_MOST = 32;

    private final Window[] windows;
    private final List<Output> outputs = new ArrayList<>();
    private final int size;
    private final HashSet32 scratch = new HashSet32();
    private final byte[] asOf;
    private byte[] bytes;
    private int base;

    private record Output(
            int feature, Plan.Aggregate aggregate, Cell cell, int column, boolean excludesCurrent) {}

    /** {@code logged}: the categories of the log's hash columns, in order. */
    WindowAggregates(Plan plan, int[] logged) {
        windows = Arrays.stream(plan.windows()).mapToObj(Window::new).toArray(Window[]::new);
        for (int i = 0; i < plan.features.size(); i++) {
            Plan.Feature feature = plan.features.get(i);
            if (feature.aggregate().isWindowed()) {
                Cell cell = windowOf(feature.windowMs()).cell(feature.filter());
                int column = Arrays.binarySearch(logged, feature.category());
                cell.want(feature.aggregate(), column);
                boolean excludes = feature.excludesCurrent();
                outputs.add(new Output(i, feature.aggregate(), cell, column, excludes));
            }
        }
        int next = EDGE_BYTES * windows.length;
        for (Window window : windows) {
            next = window.layOut(next);
        }
        size = next;
        asOf = new byte[size];
    }

    private Window windowOf(long ms) {
        return Arrays.stream(windows).filter(w -> w.ms == ms).findFirst().orElseThrow();
    }

    /** Bytes in the profile. */
    int size() {
        return size;
    }

    /** Where this key's aggregates lie; again after anything that may have moved the bytes. */
    void attach(ProfileState state) {
        bytes = state.bytes;
        base = state.aggregates();
    }

    private int edge(int window) {
        return Bytes.getInt(bytes, base + EDGE_BYTES * window);
    }

    private void setEdge(int window, int edge) {
        Bytes.putInt(bytes, base + EDGE_BYTES * window, edge);
    }

    /** Lets events leave that are too old at {@code now}. */
    void advance(EventLog log, long now) {
        int count = log.count();
        for (int w = 0; w < windows.length; w++) {
            int edge = edge(w);
            int before = edge;
            long horizon = now - windows[w].ms;
            while (edge < count && log.time(edge) <= horizon) {
                windows[w].remove(bytes, base, log, edge, edge + 1, count);
                edge++;
            }
            if (edge != before) {
                setEdge(w, edge);
            }
        }
    }

    /** The log is about to lose its first events; whatever window still held them, lets go. */
    void dropFirst(EventLog log, int gone) {
        for (int w = 0; w < windows.length; w++) {
            int edge = edge(w);
            while (edge < gone) {
                windows[w].remove(bytes, base, log, edge, edge + 1, log.count());
                edge++;
            }
            setEdge(w, edge - gone);
        }
    }

    /** Counts the newest event, the last of the log, which every window holds. */
    void add(EventLog log) {
        int i = log.count() - 1;
        for (int w = 0; w < windows.length; w++) {
            windows[w].add(bytes, base, log, i, edge(w), i);
        }
    }

    /** Counts event {@code i}, newly inserted before others, in the windows that still hold it. */
    void addInserted(EventLog log, int i, long now) {
        for (int w = 0; w < windows.length; w++) {
            if (log.time(i) > now - windows[w].ms) {
                windows[w].add(bytes, base, log, i, edge(w), log.count());
            } else {
                setEdge(w, edge(w) + 1);
            }
        }
    }

    /**
     * The features as of {@code time}, over the first {@code end} events of the log; the last of
     * them is the late event itself where {@code isCurrentIn}.
     */
    void readOffAsOf(double[] features, EventLog log, int end, long time, boolean isCurrentIn) {
        System.arraycopy(bytes, base, asOf, 0, size);
        for (int w = 0; w < windows.length; w++) {
            int from = edge(w);
            int begin = Math.min(from, end);
            while (begin > 0 && log.time(begin - 1) > time - windows[w].ms) {
                begin--;
            }
            while (begin < end && log.time(begin) <= time - windows[w].ms) {
                begin++;
            }
            move(windows[w], log, from, begin, end);
        }
        readOff(features, asOf, 0, !isCurrentIn);
    }

    /** Makes the copied cells, over [from, count), those over [begin, end). */
    private void move(Window window, EventLog log, int from, int begin, int end) {
        int count = log.count();
        boolean isNear = begin <= from && from <= end && count - end + from - begin <= MOVED_MOST;
        if (!isNear) {
            window.count(asOf, 0, log, begin, end, scratch);
            return;
        }
        for (int i = count - 1; i >= end; i--) {
            window.remove(asOf, 0, log, i, from, i);
        }
        for (int i = from - 1; i >= begin; i--) {
            window.add(asOf, 0, log, i, i + 1, end);
        }
    }

    /** Counts everything anew as of {@code now}. */
    void rebuild(EventLog log, long now) {
        int count = log.count();
        for (int w = 0; w < windows.length; w++) {
            int edge = 0;
            while (edge < count && log.time(edge) <= now - windows[w].ms) {
                edge++;
            }
            setEdge(w, edge);
            windows[w].count(bytes, base, log, edge, count, scratch);
        }
    }

    /** Features that leave out the current event are read before it is added, the others after. */
    void readOff(double[] features, boolean isBeforeCurrent) {
        readOff(features, bytes, base, isBeforeCurrent);
    }

    private void readOff(double[] features, byte[] from, int at, boolean isBeforeCurrent) {
        for (int o = 0; o < outputs.size(); o++) {
            Output output = outputs.get(o);
            if (output.excludesCurrent == isBeforeCurrent) {
                features[output.feature] =
                        output.cell.value(from, at, output.aggregate, output.column);
            }
        }
    }
}
