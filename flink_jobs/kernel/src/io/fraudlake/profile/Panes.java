package io.fraudlake.profile;

import io.fraudlake.KeyState;
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
 * <p>The panes are {@link KeyState#PANES}, for each window the number of its oldest pane (8) and
 * then its panes in a ring. They are looked at when one leaves its window and when the log lets go
 * of events. What each event needs of them is a record of the profile:
 *
 * <pre>
 * 0 time of the newest event that is in panes   8 when the next pane leaves its window
 * 16 fingerprint of the windows
 * 20 for each window the sketches of all that it holds, panes and log
 * </pre>
 */
final class Panes {

    /** Part of the fingerprint: panes of another layout are not read. */
    static final int LAYOUT = 3;

    static final int PER_WINDOW = 32;
    /** The one that is being filled and the one that leaves, besides. */
    private static final int SLOTS = PER_WINDOW + 2;

    private static final int NEWEST = 0;
    private static final int DUE = 8;
    private static final int FINGERPRINT = 16;
    private static final int UNIONS = 20;
    private static final int OLDEST_BYTES = 8;

    private final Window[] windows;
    private final int[] beginsOf;
    private final int[] widths;
    private final int[][] sketchesOf;
    private final int[][] unionsOf;
    private final int fingerprint;
    private final int headSize;
    private final int ringsSize;
    private KeyMemory memory;
    private byte[] bytes;
    private int base;
    private byte[] rings;
    private boolean areChanged;

    Panes(Window[] windows, int fingerprint) {
        this.windows = windows;
        this.fingerprint = fingerprint;
        beginsOf = new int[windows.length];
        widths = new int[windows.length];
        sketchesOf = new int[windows.length][];
        unionsOf = new int[windows.length][];
        int union = UNIONS;
        int next = 0;
        for (int w = 0; w < windows.length; w++) {
            beginsOf[w] = next;
            sketchesOf[w] = new int[windows[w].cells.size()];
            unionsOf[w] = new int[sketchesOf[w].length];
            int width = 0;
            for (int c = 0; c < sketchesOf[w].length; c++) {
                Cell cell = windows[w].cells.get(c);
                sketchesOf[w][c] = width + cell.paneWidth();
                width = sketchesOf[w][c] + Sketch.BYTES * cell.columns().length;
                unionsOf[w][c] = union;
                union += Sketch.BYTES * cell.columns().length;
            }
            widths[w] = width;
            next += OLDEST_BYTES + SLOTS * width;
        }
        headSize = union;
        ringsSize = next;
    }

    int fingerprint() {
        return fingerprint;
    }

    /** Bytes of the profile's record. */
    int headSize() {
        return headSize;
    }

    /** Whose panes those are that may be asked for next. */
    void open(KeyMemory memory) {
        this.memory = memory;
        rings = null;
        areChanged = false;
    }

    /** Puts the panes back if they have changed. */
    void save(KeyMemory memory) {
        if (areChanged) {
            memory.put(KeyState.PANES, rings);
        }
    }

    private byte[] rings() {
        if (rings == null) {
            rings = memory.get(KeyState.PANES);
        }
        return rings;
    }

    /** They are put back afterwards. */
    private byte[] ringsToChange() {
        areChanged = true;
        return rings();
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

    /** Lays out new panes, empty ones. */
    void begin(Section section, long now) {
        section.append();
        attach(section);
        Bytes.putLong(bytes, base + NEWEST, Long.MIN_VALUE);
        Bytes.putInt(bytes, base + FINGERPRINT, fingerprint);
        rings = new byte[ringsSize];
        areChanged = true;
        for (int w = 0; w < windows.length; w++) {
            setOldest(w, paneOf(w, now - windows[w].ms + 1));
        }
    }

    /** Whether a pane has left its window. */
    boolean areDue(long now) {
        return now >= Bytes.getLong(bytes, base + DUE);
    }

    /** Notes when the next pane leaves its window. */
    void findDue() {
        long newest = Bytes.getLong(bytes, base + NEWEST);
        long due = Long.MAX_VALUE;
        for (int w = 0; w < windows.length; w++) {
            long oldest = oldest(w);
            if (oldest <= paneOf(w, newest)) {
                due = Math.min(due, (oldest + 1) * paneMs(w) + windows[w].ms - 1);
            }
        }
        Bytes.putLong(bytes, base + DUE, due);
    }

    private long paneMs(int window) {
        return (windows[window].ms + PER_WINDOW - 1) / PER_WINDOW;
    }

    private long paneOf(int window, long time) {
        return Math.floorDiv(time, paneMs(window));
    }

    private long oldest(int window) {
        return Bytes.getLong(rings(), beginsOf[window]);
    }

    private void setOldest(int window, long pane) {
        Bytes.putLong(ringsToChange(), beginsOf[window], pane);
    }

    private int at(int window, long pane) {
        int slot = (int) Math.floorMod(pane, (long) SLOTS);
        return beginsOf[window] + OLDEST_BYTES + slot * widths[window];
    }

    /** Takes the values of event {@code i} into the sketches of the windows that hold it. */
    void noteValues(EventLog log, int i, long now) {
        for (int w = 0; w < windows.length; w++) {
            if (log.time(i) > now - windows[w].ms) {
                for (int c = 0; c < unionsOf[w].length; c++) {
                    sketch(windows[w].cells.get(c), log, i, bytes, base + unionsOf[w][c]);
                }
            }
        }
    }

    private static void sketch(Cell cell, EventLog log, int i, byte[] target, int at) {
        int[] columns = cell.columns();
        for (int k = 0; k < columns.length && cell.wants(log, i); k++) {
            int hash = log.hash(i, columns[k]);
            if (hash != 0) {
                Sketch.add(target, at + k * Sketch.BYTES, hash);
            }
        }
    }

    /** Event {@code i} leaves the log, and stays in the window. */
    void take(int window, byte[] running, int at, EventLog log, int i) {
        int pane = at(window, paneOf(window, log.time(i)));
        byte[] into = ringsToChange();
        for (int c = 0; c < sketchesOf[window].length; c++) {
            Cell cell = windows[window].cells.get(c);
            cell.moveToPane(running, at, log, i, log.count(), into, pane + beginOf(window, c));
            sketch(cell, log, i, into, pane + sketchesOf[window][c]);
        }
    }

    /** The time of the newest event taken, once every window has taken what it holds. */
    void noteNewest(long time) {
        Bytes.putLong(bytes, base + NEWEST, Math.max(time, Bytes.getLong(bytes, base + NEWEST)));
    }

    private int beginOf(int window, int cell) {
        return sketchesOf[window][cell] - windows[window].cells.get(cell).paneWidth();
    }

    /**
     * Lets go of the panes that a window which ends at {@code now} no longer reaches; whether there
     * were any.
     */
    boolean advance(int window, byte[] running, int at, EventLog log, int edge, long now) {
        long wanted = paneOf(window, now - windows[window].ms + 1);
        long pane = oldest(window);
        if (pane >= wanted) {
            return false;
        }
        for (long end = Math.min(wanted, pane + SLOTS); pane < end; pane++) {
            int begin = at(window, pane);
            for (int c = 0; c < sketchesOf[window].length; c++) {
                Cell cell = windows[window].cells.get(c);
                cell.removePane(running, at, rings(), begin + beginOf(window, c));
            }
            Arrays.fill(ringsToChange(), begin, begin + widths[window], (byte) 0);
        }
        setOldest(window, wanted);
        findExtremes(window, running, at, log, edge);
        return true;
    }

    /**
     * Puts the sketches of all panes together with the values of the log from {@code edge} on: a
     * value that left one may still be in another.
     */
    void unite(int window, EventLog log, int edge) {
        for (int c = 0; c < sketchesOf[window].length; c++) {
            Cell cell = windows[window].cells.get(c);
            int union = base + unionsOf[window][c];
            int length = Sketch.BYTES * cell.columns().length;
            Arrays.fill(bytes, union, union + length, (byte) 0);
            for (int slot = 0; slot < SLOTS && length > 0; slot++) {
                int sketches = at(window, slot) + sketchesOf[window][c];
                Sketch.merge(bytes, union, rings(), sketches, length);
            }
            for (int i = edge; i < log.count() && length > 0; i++) {
                sketch(cell, log, i, bytes, union);
            }
        }
    }

    /** The running aggregates hold the log alone; now the panes count, too. */
    void addTo(int window, byte[] running, int at, EventLog log, int edge) {
        for (int slot = 0; slot < SLOTS; slot++) {
            for (int c = 0; c < sketchesOf[window].length; c++) {
                int pane = at(window, slot) + beginOf(window, c);
                windows[window].cells.get(c).addPane(running, at, rings(), pane);
            }
        }
        findExtremes(window, running, at, log, edge);
    }

    private void findExtremes(int window, byte[] running, int at, EventLog log, int edge) {
        for (int c = 0; c < sketchesOf[window].length; c++) {
            Cell cell = windows[window].cells.get(c);
            cell.findExtremes(running, at, log, edge, log.count());
        }
        includeExtremes(window, running, at);
    }

    /** The extremes are those of the log; now the panes count, too. */
    void includeExtremes(int window, byte[] running, int at) {
        for (int c = 0; c < sketchesOf[window].length; c++) {
            Cell cell = windows[window].cells.get(c);
            for (int slot = 0; slot < SLOTS && cell.hasExtremes(); slot++) {
                int pane = at(window, slot) + beginOf(window, c);
                cell.includeExtremes(running, at, rings(), pane);
            }
        }
    }

    /** About how many different values the window holds. */
    double distinct(int window, Cell cell, int column) {
        int union = base + unionsOf[window][windows[window].cells.indexOf(cell)];
        return Sketch.estimate(bytes, union + cell.indexOf(column) * Sketch.BYTES);
    }
}
