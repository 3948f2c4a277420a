package io.fraudlake.event;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/**
 * The row that travels through the stages, the same for every stage and rule set: what stages are
 * keyed by, the time, and everything else packed into bytes ({@link EventBytes}).
 *
 * <p>Each stage costs a copy of the row, column by column, so there are few columns. Keys that no
 * stage of the plan needs are null.
 */
public final class EventRow {

    public static final int CARD_ID = 0;
    public static final int CUSTOMER_ID = 1;
    private static final int EVENT_TIME = 5;
    private static final int EVENT = 6;

    private static final List<DataTypes.Field> FIELDS =
            List.of(
                    DataTypes.FIELD("card_id", DataTypes.STRING()),
                    DataTypes.FIELD("customer_id", DataTypes.STRING()),
                    DataTypes.FIELD("merchant_key", DataTypes.STRING()),
                    DataTypes.FIELD("device_key", DataTypes.STRING()),
                    DataTypes.FIELD("ip_key", DataTypes.STRING()),
                    DataTypes.FIELD("event_time", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("event", DataTypes.BYTES()));
    private static final List<String> NAMES =
            FIELDS.stream().map(DataTypes.AbstractField::getName).toList();

    private EventRow() {}

    public static DataType type() {
        return row(FIELDS);
    }

    /** The row that a stage gives: Flink itself puts the key before it and the time behind. */
    public static DataType typeWithout(int key) {
        List<DataTypes.Field> fields = new ArrayList<>(FIELDS);
        fields.remove(EVENT_TIME);
        fields.remove(key);
        return row(fields);
    }

    private static DataType row(List<DataTypes.Field> fields) {
        return DataTypes.ROW(fields).bridgedTo(RowData.class);
    }

    /** Where a key column stands; ValidationException where the row has none of that name. */
    public static int keyIndex(String column) {
        int index = NAMES.indexOf(column);
        if (index < 0 || index >= EVENT_TIME) {
            throw new ValidationException(
                    "no key '" + column + "' in the event row: " + NAMES.subList(0, EVENT_TIME));
        }
        return index;
    }

    public static byte[] event(RowData row) {
        return row.getBinary(EVENT);
    }

    /** The row without its key and time, around other bytes. */
    public static RowData forward(RowData row, int key, byte[] event) {
        GenericRowData forwarded = new GenericRowData(EVENT - 1);
        int at = 0;
        for (int column = 0; column < EVENT_TIME; column++) {
            if (column != key) {
                forwarded.setField(at++, row.isNullAt(column) ? null : row.getString(column));
            }
        }
        forwarded.setField(at, event);
        return forwarded;
    }
}
