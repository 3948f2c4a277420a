package io.fraudlake.decision;

import java.util.List;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/** The row of a transaction after the rules: what fired, beside what the decision shows. */
final class FiredRow {

    static final int CARD_ID = 0;
    static final int CUSTOMER_ID = 1;
    static final int TRANSACTION_ID = 2;
    static final int EVENT_TIME = 3;
    static final int AMOUNT_MINOR = 4;
    static final int REASONS = 5;
    static final int FEATURES = 6;
    static final int RAW = 7;
    static final int SOURCE_PARTITION = 8;
    static final int SOURCE_OFFSET = 9;
    static final int EPOCH = 10;
    static final int NUMBER = 11;
    static final int IS_LATE = 12;
    static final int IS_DUPLICATE = 13;
    static final int DUPLICATE_OF_OFFSET = 14;
    static final int PREVIOUS_TRANSACTION_ID = 15;

    static final int REASON_WIDTH = 3;

    private static final DataType REASON =
            DataTypes.ROW(
                    DataTypes.FIELD("observed", DataTypes.DOUBLE()),
                    DataTypes.FIELD("limit", DataTypes.DOUBLE()),
                    DataTypes.FIELD("because", DataTypes.STRING()));

    /** {@code reasons} has a place for each rule of the plan, null where it did not fire. */
    private static final List<DataTypes.Field> FIELDS =
            List.of(
                    DataTypes.FIELD("card_id", DataTypes.STRING()),
                    DataTypes.FIELD("customer_id", DataTypes.STRING()),
                    DataTypes.FIELD("transaction_id", DataTypes.STRING()),
                    DataTypes.FIELD("event_time", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("amount_minor", DataTypes.BIGINT()),
                    DataTypes.FIELD("reasons", DataTypes.ARRAY(REASON)),
                    DataTypes.FIELD("features", DataTypes.ARRAY(DataTypes.DOUBLE())),
                    DataTypes.FIELD("raw", DataTypes.BYTES()),
                    DataTypes.FIELD("source_partition", DataTypes.INT()),
                    DataTypes.FIELD("source_offset", DataTypes.BIGINT()),
                    DataTypes.FIELD("card_epoch", DataTypes.INT()),
                    DataTypes.FIELD("card_number", DataTypes.INT()),
                    DataTypes.FIELD("is_late", DataTypes.BOOLEAN()),
                    DataTypes.FIELD("is_duplicate", DataTypes.BOOLEAN()),
                    DataTypes.FIELD("duplicate_of_offset", DataTypes.BIGINT()),
                    DataTypes.FIELD("previous_transaction_id", DataTypes.STRING()));

    private FiredRow() {}

    static DataType type() {
        return DataTypes.ROW(FIELDS).bridgedTo(RowData.class);
    }
}
