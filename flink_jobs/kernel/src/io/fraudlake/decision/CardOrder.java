package io.fraudlake.decision;

import io.fraudlake.event.Bytes;
import io.fraudlake.event.EventBytes;
import java.io.IOException;
import java.util.function.Consumer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.RowType;

/**
 * Gives the rows of a card in the order of their numbers, however they come.
 *
 * <p>The card's own stage numbers them 1, 2, 3 ... for good. A row that came too early waits in the
 * state, under its number; all numbers of a card come, because nothing between the stages drops a
 * row, and no checkpoint is taken while one is on its way.
 */
final class CardOrder {

    /** The number of the row that is due; the keys above 0 hold the rows that wait. */
    private static final Integer DUE = -1;

    private final RowDataSerializer serializer;
    private final DataOutputSerializer out = new DataOutputSerializer(1024);
    private final DataInputDeserializer in = new DataInputDeserializer();

    CardOrder(RowType type) {
        serializer = new RowDataSerializer(type);
    }

    /** Hands on every row that is due now: none, this one, or this one and those behind it. */
    void take(MapView<Integer, byte[]> state, RowData row, Consumer<RowData> next) throws Exception {
        int number = EventBytes.number(row.getBinary(FiredRow.EVENT));
        byte[] stored = state.get(DUE);
        int due = stored == null ? 1 : Bytes.getInt(stored, 0);
        if (number > due) {
            state.put(number, bytes(row));
            return;
        }
        next.accept(row);
        if (number < due) {
            return; // numbers began anew, with another state; nothing will ever be due for it
        }
        due++;
        for (byte[] waiting = state.get(due); waiting != null; waiting = state.get(due)) {
            next.accept(row(waiting));
            state.remove(due);
            due++;
        }
        byte[] behind = new byte[Integer.BYTES];
        Bytes.putInt(behind, 0, due);
        state.put(DUE, behind);
    }

    private byte[] bytes(RowData row) throws IOException {
        out.clear();
        serializer.serialize(row, out);
        return out.getCopyOfBuffer();
    }

    private RowData row(byte[] bytes) throws IOException {
        in.setBuffer(bytes);
        return serializer.deserialize(in);
    }
}
