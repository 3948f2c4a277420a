package io.fraudlake.decision;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/**
 * The row of a transaction after the rules: the packed event, and what fired.
 *
 * <p>{@code reasons} has a place for each rule of the plan, null where it did not fire.
 */
final class FiredRow {

    static final int CARD_ID = 0;
    static final int CUSTOMER_ID = 1;
    static final int EVENT = 2;
    static final int REASONS = 3;

    static final int REASON_WIDTH = 3;

    private static final DataType REASON =
            DataTypes.ROW(
                    DataTypes.FIELD("observed", DataTypes.DOUBLE()),
                    DataTypes.FIELD("limit", DataTypes.DOUBLE()),
                    DataTypes.FIELD("because", DataTypes.STRING()));

    private FiredRow() {}

    static DataType type() {
        return DataTypes.ROW(
                        DataTypes.FIELD("card_id", DataTypes.STRING()),
                        DataTypes.FIELD("customer_id", DataTypes.STRING()),
                        DataTypes.FIELD("event", DataTypes.BYTES()),
                        DataTypes.FIELD("reasons", DataTypes.ARRAY(REASON)))
                .bridgedTo(RowData.class);
    }
}
