package io.fraudlake.profile;

import java.util.ArrayList;
import java.util.List;

/** A window of the plan: how long it is, and its cells, one for each filter in use. */
final class Window {

    final long ms;
    final List<Cell> cells = new ArrayList<>();

    Window(long ms) {
        this.ms = ms;
    }

    Cell cell(int filter) {
        for (Cell cell : cells) {
            if (cell.filter == filter) {
                return cell;
            }
        }
        Cell cell = new Cell(filter);
        cells.add(cell);
        return cell;
    }

    boolean hasExtremes() {
        return cells.stream().anyMatch(Cell::hasExtremes);
    }

    /** Fixes where the cells lie; the first byte behind them. */
    int layOut(int begin) {
        int next = begin;
        for (Cell cell : cells) {
            next = cell.layOut(next);
        }
        return next;
    }

    void add(byte[] bytes, int base, EventLog log, int i, int from, int to) {
        for (int c = 0; c < cells.size(); c++) {
            cells.get(c).add(bytes, base, log, i, from, to);
        }
    }

    void remove(byte[] bytes, int base, EventLog log, int i, int from, int to) {
        for (int c = 0; c < cells.size(); c++) {
            cells.get(c).remove(bytes, base, log, i, from, to);
        }
    }

    void count(byte[] bytes, int base, EventLog log, int from, int to, HashSet32 scratch) {
        for (int c = 0; c < cells.size(); c++) {
            cells.get(c).count(bytes, base, log, from, to, scratch);
        }
    }
}
