package io.fraudlake.profile;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * The row that travels through the profile stages, the same for every stage and rule set.
 *
 * <p>What differs from plan to plan (features so far, columns that rules ask for, hashed
 * categories) stands in arrays by position; the job's SQL gives the positions their names.
 */
final class EventRow {

    static final int CARD_ID = 0;
    static final int CUSTOMER_ID = 1;
    static final int TRANSACTION_ID = 2;
    static final int EVENT_TIME = 3;
    static final int AMOUNT_MINOR = 4;
    static final int FLAGS = 5;
    static final int LATITUDE = 6;
    static final int LONGITUDE = 7;
    static final int HASHES = 8;
    static final int FEATURES = 9;
    static final int SOURCE_OFFSET = 14;
    /** From here on, what the card's own stage fills in. */
    static final int VERDICT = 18;
    static final int EPOCH = 18;
    static final int NUMBER = 19;
    static final int IS_LATE = 20;
    static final int IS_DUPLICATE = 21;
    static final int DUPLICATE_OF_OFFSET = 22;
    static final int PREVIOUS_TRANSACTION_ID = 23;

    /** Name and type of each column, in order. */
    private static final List<DataTypes.Field> FIELDS =
            List.of(
                    DataTypes.FIELD("card_id", DataTypes.STRING()),
                    DataTypes.FIELD("customer_id", DataTypes.STRING()),
                    DataTypes.FIELD("transaction_id", DataTypes.STRING()),
                    DataTypes.FIELD("event_time", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("amount_minor", DataTypes.BIGINT()),
                    DataTypes.FIELD("flags", DataTypes.BIGINT()),
                    DataTypes.FIELD("latitude", DataTypes.DOUBLE()),
                    DataTypes.FIELD("longitude", DataTypes.DOUBLE()),
                    DataTypes.FIELD("hashes", DataTypes.ARRAY(DataTypes.BIGINT())),
                    DataTypes.FIELD("features", DataTypes.ARRAY(DataTypes.DOUBLE())),
                    DataTypes.FIELD("numbers", DataTypes.ARRAY(DataTypes.DOUBLE())),
                    DataTypes.FIELD("texts", DataTypes.ARRAY(DataTypes.STRING())),
                    DataTypes.FIELD("raw", DataTypes.BYTES()),
                    DataTypes.FIELD("source_partition", DataTypes.INT()),
                    DataTypes.FIELD("source_offset", DataTypes.BIGINT()),
                    DataTypes.FIELD("merchant_key", DataTypes.STRING()),
                    DataTypes.FIELD("device_key", DataTypes.STRING()),
                    DataTypes.FIELD("ip_key", DataTypes.STRING()),
                    DataTypes.FIELD("card_epoch", DataTypes.INT()),
                    DataTypes.FIELD("card_number", DataTypes.INT()),
                    DataTypes.FIELD("is_late", DataTypes.BOOLEAN()),
                    DataTypes.FIELD("is_duplicate", DataTypes.BOOLEAN()),
                    DataTypes.FIELD("duplicate_of_offset", DataTypes.BIGINT()),
                    DataTypes.FIELD("previous_transaction_id", DataTypes.STRING()));

    private static final List<String> NAMES =
            FIELDS.stream().map(DataTypes.AbstractField::getName).toList();

    static final int WIDTH = FIELDS.size();

    private EventRow() {}

    static DataType type() {
        return row(FIELDS);
    }

    /** The row without the column that partitions the stage, which Flink puts in front itself. */
    static DataType typeWithout(int keyColumn) {
        List<DataTypes.Field> fields = new ArrayList<>(FIELDS);
        fields.remove(keyColumn);
        return row(fields);
    }

    /** Where a column stands; ValidationException where the row has none of that name. */
    static int indexOf(String column) {
        int index = NAMES.indexOf(column);
        if (index < 0) {
            throw new ValidationException("no column '" + column + "' in the event row: " + NAMES);
        }
        return index;
    }

    private static DataType row(List<DataTypes.Field> fields) {
        return DataTypes.ROW(fields).bridgedTo(RowData.class);
    }

    /** Getters of all columns but one, in order: what a stage forwards. */
    static RowData.FieldGetter[] gettersWithout(int keyColumn) {
        List<LogicalType> types = type().getLogicalType().getChildren();
        RowData.FieldGetter[] getters = new RowData.FieldGetter[WIDTH - 1];
        for (int column = 0, i = 0; column < WIDTH; column++) {
            if (column != keyColumn) {
                getters[i++] = RowData.createFieldGetter(types.get(column), column);
            }
        }
        return getters;
    }
}
