package io.fraudlake.decision;

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
 * <p>The card's own stage numbers them 1, 2, 3 ... within an epoch, which begins anew when the plan
 * changes. A row that came too early waits in the state, under its number; all numbers of a card
 * come, because nothing between the stages drops a row, and a savepoint leaves none on the way.
 */
final class CardOrder {

    /** Epoch and number of the row that is due; the keys above 0 hold the rows that wait. */
    private static final Integer DUE = -1;

    private final RowDataSerializer serializer;
    private final DataOutputSerializer out = new DataOutputSerializer(1024);
    private final DataInputDeserializer in = new DataInputDeserializer();

    CardOrder(RowType type) {
        serializer = new RowDataSerializer(type);
    }

    /** Hands on every row that is due now: none, this one, or this one and those behind it. */
    void take(MapView<Integer, byte[]> state, RowData row, Consumer<RowData> next) throws Exception {
        int epoch = row.getInt(FiredRow.EPOCH);
        int number = row.getInt(FiredRow.NUMBER);
        int due = due(state.get(DUE), epoch);
        if (number != due) {
            state.put(number, bytes(row));
            return;
        }
        next.accept(row);
        due++;
        for (byte[] waiting = state.get(due); waiting != null; waiting = state.get(due)) {
            next.accept(row(waiting));
            state.remove(due);
            due++;
        }
        state.put(DUE, encode(epoch, due));
    }

    private static int due(byte[] stored, int epoch) {
        return stored == null || (int) (decode(stored) >>> 32) < epoch ? 1 : (int) decode(stored);
    }

    private static byte[] encode(int epoch, int due) {
        return java.nio.ByteBuffer.allocate(Long.BYTES).putInt(epoch).putInt(due).array();
    }

    private static long decode(byte[] stored) {
        return java.nio.ByteBuffer.wrap(stored).getLong();
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
