package io.fraudlake.profile;

import io.fraudlake.event.Bytes;
import java.util.Arrays;

/**
 * The events that a busy key's log had to let go of while windows still hold them, summed up.
 *
 * <p>Each window is cut into {@link #PER_WINDOW} panes of equal length. A pane counts for its window
 * until its last instant has left it, so such a window reaches back by up to one pane, 1/32, more
 * than it says. Different values are estimated by a {@link Sketch} for each pane. Only a key with
 * more than {@link EventLog#CAPACITY} events in its longest window has panes.
 *
 * <pre>
 * 0 time of the newest event that is in panes   8 fingerprint of the windows
 * 12 for each window: number of its oldest pane (8), whether the next is as it should be (1), the
 *    sketches of all its panes together, then its panes in a ring
 * </pre>
 */
final class Panes {

    /** Part of the fingerprint: panes of another layout are not read. */
    static final int LAYOUT = 2;

    static final int PER_WINDOW = 32;
    /** The one that is being filled and the one that leaves, besides. */
    private static final int SLOTS = PER_WINDOW + 2;

    private static final int NEWEST = 0;
    private static final int FINGERPRINT = 8;
    private static final int HEAD = 12;
    private static final int IS_UNITED = 8;
    private static final int WINDOW_HEAD = 9;

    private final Window[] windows;
    private final int[] beginsOf;
    private final int[] widths;
    private final int[][] sketchesOf;
    private final int[][] unionsOf;
    private final int[] unionBytes;
    private final int fingerprint;
    private final int size;
    private byte[] bytes;
    private int base;

    Panes(Window[] windows, int fingerprint) {
        this.windows = windows;
        this.fingerprint = fingerprint;
        beginsOf = new int[windows.length];
        widths = new int[windows.length];
        sketchesOf = new int[windows.length][];
        unionsOf = new int[windows.length][];
        unionBytes = new int[windows.length];
        int next = HEAD;
        for (int w = 0; w < windows.length; w++) {
            beginsOf[w] = next;
            sketchesOf[w] = new int[windows[w].cells.size()];
            unionsOf[w] = new int[sketchesOf[w].length];
            int width = 0;
            for (int c = 0; c < sketchesOf[w].length; c++) {
                Cell cell = windows[w].cells.get(c);
                sketchesOf[w][c] = width + cell.paneWidth();
                width = sketchesOf[w][c] + Sketch.BYTES * cell.columns().length;
                unionsOf[w][c] = unionBytes[w];
                unionBytes[w] += Sketch.BYTES * cell.columns().length;
            }
            widths[w] = width;
            next += WINDOW_HEAD + unionBytes[w] + SLOTS * width;
        }
        size = next;
    }

    int fingerprint() {
        return fingerprint;
    }

    /** Bytes of a key's panes. */
    int size() {
        return size;
    }

    /** Finds a key's panes again, after anything that may have moved its bytes. */
    void attach(Section section) {
        bytes = section.count() == 0 ? null : section.bytes();
        base = bytes == null ? 0 : section.at(0);
    }

    boolean exist() {
        return bytes != null;
    }

    /** Whether panes hold a part of the window that ends at {@code now}. */
    boolean reachInto(int window, long now) {
        return exist() && Bytes.getLong(bytes, base + NEWEST) > now - windows[window].ms;
    }

    /** Whether no window holds a pane any longer. */
    boolean areOver(long now) {
        return windows.length == 0 || !reachInto(windows.length - 1, now);
    }

    static boolean fits(byte[] bytes, int at, int fingerprint) {
        return Bytes.getInt(bytes, at + FINGERPRINT) == fingerprint;
    }

    /** Lays out new panes, with the values that the log holds now. */
    void begin(Section section, EventLog log, long now) {
        section.append();
        attach(section);
        Arrays.fill(bytes, base, base + size, (byte) 0);
        Bytes.putLong(bytes, base + NEWEST, Long.MIN_VALUE);
        Bytes.putInt(bytes, base + FINGERPRINT, fingerprint);
        for (int w = 0; w < windows.length; w++) {
            setOldest(w, paneOf(w, now - windows[w].ms + 1));
        }
        for (int i = 0; i < log.count(); i++) {
            noteValues(log, i, now);
        }
    }

    private long paneMs(int window) {
        return (windows[window].ms + PER_WINDOW - 1) / PER_WINDOW;
    }

    private long paneOf(int window, long time) {
        return Math.floorDiv(time, paneMs(window));
    }

    private long oldest(int window) {
        return Bytes.getLong(bytes, base + beginsOf[window]);
    }

    private void setOldest(int window, long pane) {
        Bytes.putLong(bytes, base + beginsOf[window], pane);
    }

    private int at(int window, long pane) {
        int slot = (int) Math.floorMod(pane, (long) SLOTS);
        int ring = base + beginsOf[window] + WINDOW_HEAD + unionBytes[window];
        return ring + slot * widths[window];
    }

    /** Where the sketches of a cell begin that hold the values of all panes of the window. */
    private int union(int window, int cell) {
        return base + beginsOf[window] + WINDOW_HEAD + unionsOf[window][cell];
    }

    /** Takes the values of event {@code i}, which the windows hold, into their sketches. */
    void noteValues(EventLog log, int i, long now) {
        for (int w = 0; w < windows.length; w++) {
            if (log.time(i) <= now - windows[w].ms) {
                continue;
            }
            int pane = at(w, paneOf(w, log.time(i)));
            for (int c = 0; c < sketchesOf[w].length; c++) {
                Cell cell = windows[w].cells.get(c);
                int[] columns = cell.columns();
                for (int k = 0; k < columns.length && cell.wants(log, i); k++) {
                    int hash = log.hash(i, columns[k]);
                    if (hash != 0) {
                        Sketch.add(bytes, pane + sketchesOf[w][c] + k * Sketch.BYTES, hash);
                        Sketch.add(bytes, union(w, c) + k * Sketch.BYTES, hash);
                    }
                }
            }
        }
    }

    /** Event {@code i} leaves the log, and stays in the window. */
    void take(int window, byte[] running, int at, EventLog log, int i) {
        long time = log.time(i);
        Bytes.putLong(bytes, base + NEWEST, Math.max(time, Bytes.getLong(bytes, base + NEWEST)));
        int pane = at(window, paneOf(window, time));
        for (int c = 0; c < sketchesOf[window].length; c++) {
            int begin = pane + beginOf(window, c);
            windows[window].cells.get(c).moveToPane(running, at, log, i, log.count(), begin);
        }
    }

    private int beginOf(int window, int cell) {
        return sketchesOf[window][cell] - windows[window].cells.get(cell).paneWidth();
    }

    /** Lets go of the panes that a window which ends at {@code now} no longer reaches. */
    void advance(int window, byte[] running, int at, EventLog log, int edge, long now) {
        long wanted = paneOf(window, now - windows[window].ms + 1);
        long pane = oldest(window);
        if (pane >= wanted) {
            return;
        }
        for (long end = Math.min(wanted, pane + SLOTS); pane < end; pane++) {
            int begin = at(window, pane);
            for (int c = 0; c < sketchesOf[window].length; c++) {
                Cell cell = windows[window].cells.get(c);
                cell.removePane(running, at, begin + beginOf(window, c));
            }
            Arrays.fill(bytes, begin, begin + widths[window], (byte) 0);
        }
        setOldest(window, wanted);
        findExtremes(window, running, at, log, edge);
        bytes[base + beginsOf[window] + IS_UNITED] = 0;
    }

    /** Puts the sketches of all panes together: a value that left one may still be in another. */
    private void unite(int window) {
        if (bytes[base + beginsOf[window] + IS_UNITED] != 0) {
            return;
        }
        bytes[base + beginsOf[window] + IS_UNITED] = 1;
        for (int c = 0; c < sketchesOf[window].length; c++) {
            int length = Sketch.BYTES * windows[window].cells.get(c).columns().length;
            Arrays.fill(bytes, union(window, c), union(window, c) + length, (byte) 0);
            for (int slot = 0; slot < SLOTS; slot++) {
                int sketches = at(window, slot) + sketchesOf[window][c];
                Sketch.merge(bytes, union(window, c), sketches, length);
            }
        }
    }

    /** The running aggregates hold the log alone; now the panes count, too. */
    void addTo(int window, byte[] running, int at, EventLog log, int edge) {
        for (int slot = 0; slot < SLOTS; slot++) {
            for (int c = 0; c < sketchesOf[window].length; c++) {
                int pane = at(window, slot) + beginOf(window, c);
                windows[window].cells.get(c).addPane(running, at, pane);
            }
        }
        findExtremes(window, running, at, log, edge);
    }

    private void findExtremes(int window, byte[] running, int at, EventLog log, int edge) {
        for (int c = 0; c < sketchesOf[window].length; c++) {
            Cell cell = windows[window].cells.get(c);
            cell.findExtremes(running, at, log, edge, log.count());
            for (int slot = 0; slot < SLOTS; slot++) {
                cell.includeExtremes(running, at, at(window, slot) + beginOf(window, c));
            }
        }
    }

    /** About how many different values the window holds. */
    double distinct(int window, Cell cell, int column) {
        unite(window);
        int c = windows[window].cells.indexOf(cell);
        return Sketch.estimate(bytes, union(window, c) + cell.indexOf(column) * Sketch.BYTES);
    }
}
