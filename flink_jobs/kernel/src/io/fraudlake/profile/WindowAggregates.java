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
 * worked out on a copy, from the events by which those windows differ from the running ones. What a
 * busy key's log lets go of too early goes on in {@link Panes}.
 */
final class WindowAggregates {

    private static final int EDGE_BYTES = 4;
    private static final double HOUR_MS = 3_600_000;
    /** Up to so many events a window is moved; beyond, counting it anew is cheaper. */
    private static final int MOVED_MOST = 32;

    private final Window[] windows;
    private final List<Output> outputs = new ArrayList<>();
    private final int size;
    private final HashSet32 scratch = new HashSet32();
    private final byte[] asOf;
    private final Panes panes;
    private byte[] bytes;
    private int base;
    private long now;

    private record Output(
            int feature,
            Plan.Aggregate aggregate,
            int window,
            Cell cell,
            int column,
            boolean excludesCurrent) {}

    /** {@code logged}: the categories of the log's hash columns, in order. */
    WindowAggregates(Plan plan, int[] logged) {
        windows = Arrays.stream(plan.windows()).mapToObj(Window::new).toArray(Window[]::new);
        for (int i = 0; i < plan.features.size(); i++) {
            Plan.Feature feature = plan.features.get(i);
            if (feature.aggregate().isRunning()) {
                int window = Arrays.binarySearch(plan.windows(), feature.windowMs());
                Cell cell = windows[window].cell(feature.filter());
                int column = Arrays.binarySearch(logged, feature.category());
                cell.want(feature.aggregate(), column);
                boolean excludes = feature.excludesCurrent();
                outputs.add(new Output(i, feature.aggregate(), window, cell, column, excludes));
            }
        }
        int next = EDGE_BYTES * windows.length;
        for (Window window : windows) {
            next = window.layOut(next);
        }
        size = next;
        asOf = new byte[size];
        panes = new Panes(windows, Panes.LAYOUT * 31 + plan.windowsFingerprint());
    }

    /** Bytes in the profile. */
    int size() {
        return size;
    }

    /** Differs between windows whose panes hold different sums. */
    int fingerprint() {
        return panes.fingerprint();
    }

    /** Bytes of what is at hand of a busy key's panes. */
    int paneHeadSize() {
        return panes.headSize();
    }

    /** Whose panes those are that may be asked for next. */
    void open(KeyMemory memory) {
        panes.open(memory);
    }

    /** Puts back the panes if they have changed. */
    void save(KeyMemory memory) {
        panes.save(memory);
    }

    /** Where this key's aggregates lie; again after anything that may have moved the bytes. */
    void attach(ProfileState state) {
        bytes = state.bytes;
        base = state.aggregates();
        panes.attach(state.panes);
    }

    private int edge(int window) {
        return Bytes.getInt(bytes, base + EDGE_BYTES * window);
    }

    private void setEdge(int window, int edge) {
        Bytes.putInt(bytes, base + EDGE_BYTES * window, edge);
    }

    /** Lets events leave that are too old at {@code now}. */
    void advance(EventLog log, long now) {
        this.now = now;
        int count = log.count();
        if (panes.exist() && panes.areDue(now)) {
            advancePanes(log);
        }
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
                includeExtremesOfPanes(w, bytes, base);
            }
        }
    }

    /** What leaves looks for the next extreme in the log; the panes may hold a wider one. */
    private void includeExtremesOfPanes(int w, byte[] cells, int at) {
        if (panes.reachInto(w, now) && windows[w].hasExtremes()) {
            panes.includeExtremes(w, cells, at);
        }
    }

    private void advancePanes(EventLog log) {
        for (int w = 0; w < windows.length; w++) {
            if (panes.advance(w, bytes, base, log, edge(w), now)) {
                panes.unite(w, log, edge(w));
            }
        }
        panes.findDue();
    }

    /** The log is about to lose its first events; what a window still holds goes into panes. */
    void dropFirst(ProfileState state, EventLog log, int gone) {
        boolean isHeld = windows.length > 0 && edge(windows.length - 1) < gone;
        if (isHeld && !panes.exist()) {
            panes.begin(state.panes, now);
            attach(state);
        } else if (isHeld) {
            advancePanes(log); // a window that panes do not reach into has not moved them
        }
        for (int w = 0; w < windows.length; w++) {
            int edge = edge(w);
            // A value that goes from the log to a pane stays in the sketch of all.
            boolean isFirst = edge < gone && !panes.reachInto(w, now);
            while (edge < gone) {
                panes.take(w, bytes, base, log, edge);
                edge++;
            }
            if (isFirst) {
                panes.unite(w, log, edge);
            }
            setEdge(w, edge - gone);
        }
        if (isHeld) {
            panes.noteNewest(log.time(gone - 1));
            panes.findDue();
        }
    }

    /** Whether the key has panes that no window holds any longer. */
    boolean arePanesOver() {
        return panes.exist() && panes.areOver(now);
    }

    /** Counts the newest event, the last of the log, which every window holds. */
    void add(EventLog log) {
        int i = log.count() - 1;
        for (int w = 0; w < windows.length; w++) {
            windows[w].add(bytes, base, log, i, edge(w), i);
        }
        if (panes.exist()) {
            panes.noteValues(log, i, now);
        }
    }

    /** Counts event {@code i}, newly inserted before others, in the windows that still hold it. */
    void addInserted(EventLog log, int i) {
        for (int w = 0; w < windows.length; w++) {
            if (log.time(i) > now - windows[w].ms) {
                windows[w].add(bytes, base, log, i, edge(w), log.count());
            } else {
                setEdge(w, edge(w) + 1);
            }
        }
        if (panes.exist()) {
            panes.noteValues(log, i, now);
        }
    }

    /**
     * The features as of {@code time}, over the first {@code end} events of the log; the last of
     * them is the late event itself where {@code isCurrentIn}. A window with panes stays as of now
     * if it would have to move far.
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
            move(w, log, from, begin, end);
        }
        readOff(features, asOf, 0, !isCurrentIn);
    }

    /** Makes the copied cells, over [from, count), those over [begin, end). */
    private void move(int w, EventLog log, int from, int begin, int end) {
        Window window = windows[w];
        int count = log.count();
        boolean isNear = begin <= from && from <= end && count - end + from - begin <= MOVED_MOST;
        if (!isNear) {
            if (!panes.reachInto(w, now)) {
                window.count(asOf, 0, log, begin, end, scratch);
            }
            return;
        }
        for (int i = count - 1; i >= end; i--) {
            window.remove(asOf, 0, log, i, from, i);
        }
        if (end < count) {
            includeExtremesOfPanes(w, asOf, 0);
        }
        for (int i = from - 1; i >= begin; i--) {
            window.add(asOf, 0, log, i, i + 1, end);
        }
    }

    /** Counts everything anew as of {@code now}. */
    void rebuild(EventLog log, long now) {
        this.now = now;
        int count = log.count();
        for (int w = 0; w < windows.length; w++) {
            int edge = 0;
            while (edge < count && log.time(edge) <= now - windows[w].ms) {
                edge++;
            }
            setEdge(w, edge);
            windows[w].count(bytes, base, log, edge, count, scratch);
            if (panes.exist()) {
                panes.addTo(w, bytes, base, log, edge);
                panes.unite(w, log, edge);
            }
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
                features[output.feature] = value(output, from, at);
            }
        }
    }

    private double value(Output output, byte[] from, int at) {
        if (output.aggregate == Plan.Aggregate.RATE) {
            double count = output.cell.value(from, at, Plan.Aggregate.COUNT, output.column);
            return count * HOUR_MS / windows[output.window].ms;
        }
        boolean isEstimated =
                output.aggregate == Plan.Aggregate.DISTINCT && panes.reachInto(output.window, now);
        return isEstimated
                ? panes.distinct(output.window, output.cell, output.column)
                : output.cell.value(from, at, output.aggregate, output.column);
    }
}
