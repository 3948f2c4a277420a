package io.fraudlake.profile;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The running aggregates of a key's windows, kept in its bytes.
 *
 * <p>For each window the position of its first event (its edge), and a {@link Cell} for each filter
 * that a feature of the window uses. An event is added once and leaves each window once, so counts
 * and sums cost O(1) amortised. Looking for the next extreme, or for another event with the same
 * value, goes through the window, which holds at most {@link EventLog#CAPACITY} events. A late
 * event has everything counted anew, as of its own time and then as of now.
 */
final class WindowAggregates {

    private final long[] windows;
    private final List<List<Cell>> cellsOf = new ArrayList<>();
    private final List<Output> outputs = new ArrayList<>();
    private final int size;
    private final HashSet32 scratch = new HashSet32();
    private byte[] bytes;
    private int base;

    private record Output(
            int feature, Plan.Aggregate aggregate, Cell cell, int column, boolean excludesCurrent) {}

    /** {@code logged}: the categories of the log's hash columns, in order. */
    WindowAggregates(Plan plan, int[] logged) {
        windows = plan.windows();
        for (long window : windows) {
            cellsOf.add(new ArrayList<>());
        }
        for (int i = 0; i < plan.features.size(); i++) {
            Plan.Feature feature = plan.features.get(i);
            if (feature.aggregate().isWindowed()) {
                int window = Arrays.binarySearch(windows, feature.windowMs());
                Cell cell = cellOf(window, feature.filter(), logged.length);
                int column = Arrays.binarySearch(logged, feature.category());
                cell.isDistinctWanted |= feature.aggregate() == Plan.Aggregate.DISTINCT;
                cell.areExtremesWanted |=
                        feature.aggregate() == Plan.Aggregate.MIN
                                || feature.aggregate() == Plan.Aggregate.MAX;
                boolean excludes = feature.excludesCurrent();
                outputs.add(new Output(i, feature.aggregate(), cell, column, excludes));
            }
        }
        int offset = 4 * windows.length;
        for (List<Cell> cells : cellsOf) {
            for (Cell cell : cells) {
                cell.offset = offset;
                offset += cell.width();
            }
        }
        size = offset;
    }

    private Cell cellOf(int window, int filter, int columns) {
        for (Cell cell : cellsOf.get(window)) {
            if (cell.filter == filter) {
                return cell;
            }
        }
        Cell cell = new Cell(filter, columns);
        cellsOf.get(window).add(cell);
        return cell;
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
        return Bytes.getInt(bytes, base + 4 * window);
    }

    private void setEdge(int window, int edge) {
        Bytes.putInt(bytes, base + 4 * window, edge);
    }

    /** Lets events leave that are too old at {@code now}. */
    void advance(EventLog log, long now) {
        int count = log.count();
        for (int w = 0; w < windows.length; w++) {
            int edge = edge(w);
            int before = edge;
            long horizon = now - windows[w];
            while (edge < count && log.time(edge) <= horizon) {
                leave(log, w, edge++, count);
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
                leave(log, w, edge++, log.count());
            }
            setEdge(w, edge - gone);
        }
    }

    private void leave(EventLog log, int window, int i, int count) {
        List<Cell> cells = cellsOf.get(window);
        for (int c = 0; c < cells.size(); c++) {
            cells.get(c).remove(bytes, base, log, i, count);
        }
    }

    /** Counts the newest event, the last of the log, which every window holds. */
    void add(EventLog log) {
        int i = log.count() - 1;
        for (int w = 0; w < windows.length; w++) {
            List<Cell> cells = cellsOf.get(w);
            for (int c = 0; c < cells.size(); c++) {
                cells.get(c).add(bytes, base, log, i, edge(w));
            }
        }
    }

    /** Counts anew the first {@code end} events of the log as of {@code now}. */
    void rebuild(EventLog log, int end, long now) {
        Arrays.fill(bytes, base, base + size, (byte) 0);
        for (int w = 0; w < windows.length; w++) {
            int edge = 0;
            while (edge < end && log.time(edge) <= now - windows[w]) {
                edge++;
            }
            setEdge(w, edge);
            for (Cell cell : cellsOf.get(w)) {
                cell.count(bytes, base, log, edge, end, scratch);
            }
        }
    }

    /** Features that leave out the current event are read before it is added, the others after. */
    void readOff(double[] features, boolean isBeforeCurrent) {
        for (int o = 0; o < outputs.size(); o++) {
            Output output = outputs.get(o);
            if (output.excludesCurrent == isBeforeCurrent) {
                features[output.feature] =
                        output.cell.value(bytes, base, output.aggregate, output.column);
            }
        }
    }
}
