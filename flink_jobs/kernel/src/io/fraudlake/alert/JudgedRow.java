package io.fraudlake.alert;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;

/** The row of a decision after the rules, and what grouping puts beside it. */
final class JudgedRow {

    static final int CARD_ID = 0;
    static final int TRANSACTION_ID = 2;
    static final int EVENT_TIME = 3;
    static final int AMOUNT_MINOR = 4;
    static final int SCORE = 5;
    static final int BAND = 6;
    static final int DECISION_ID = 7;
    static final int REASONS = 9;

    private static final DataType REASON =
            DataTypes.ROW(
                    DataTypes.FIELD("id", DataTypes.STRING()),
                    DataTypes.FIELD("weight", DataTypes.DOUBLE()),
                    DataTypes.FIELD("observed", DataTypes.DOUBLE()),
                    DataTypes.FIELD("limit", DataTypes.DOUBLE()),
                    DataTypes.FIELD("because", DataTypes.STRING()));

    /** Name and type of each column, in order; {@code reasons} is null below review. */
    private static final List<DataTypes.Field> FIELDS =
            List.of(
                    DataTypes.FIELD("card_id", DataTypes.STRING()),
                    DataTypes.FIELD("customer_id", DataTypes.STRING()),
                    DataTypes.FIELD("transaction_id", DataTypes.STRING()),
                    DataTypes.FIELD("event_time", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("amount_minor", DataTypes.BIGINT()),
                    DataTypes.FIELD("score", DataTypes.DOUBLE()),
                    DataTypes.FIELD("band", DataTypes.STRING()),
                    DataTypes.FIELD("decision_id", DataTypes.STRING()),
                    DataTypes.FIELD("rules_fired", DataTypes.ARRAY(DataTypes.STRING())),
                    DataTypes.FIELD("reasons", DataTypes.ARRAY(REASON)),
                    DataTypes.FIELD("features", DataTypes.ARRAY(DataTypes.DOUBLE())),
                    DataTypes.FIELD("raw", DataTypes.BYTES()),
                    DataTypes.FIELD("source_partition", DataTypes.INT()),
                    DataTypes.FIELD("source_offset", DataTypes.BIGINT()),
                    DataTypes.FIELD("is_late", DataTypes.BOOLEAN()),
                    DataTypes.FIELD("is_duplicate", DataTypes.BOOLEAN()),
                    DataTypes.FIELD("duplicate_of_offset", DataTypes.BIGINT()),
                    DataTypes.FIELD("previous_transaction_id", DataTypes.STRING()),
                    DataTypes.FIELD("decided_at", DataTypes.TIMESTAMP_LTZ(3)));

    /** All null for a decision that belongs to no alert. */
    private static final List<DataTypes.Field> ALERT =
            List.of(
                    DataTypes.FIELD("alert_id", DataTypes.STRING()),
                    DataTypes.FIELD("alert_sequence", DataTypes.BIGINT()),
                    DataTypes.FIELD("alert_opened_at", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("alert_updated_at", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("alert_minor", DataTypes.BIGINT()),
                    DataTypes.FIELD("alert_score", DataTypes.DOUBLE()),
                    DataTypes.FIELD("alert_band", DataTypes.STRING()),
                    DataTypes.FIELD("alert_reasons", DataTypes.ARRAY(REASON)),
                    DataTypes.FIELD("opening_decision_id", DataTypes.STRING()),
                    DataTypes.FIELD("opening_transaction_id", DataTypes.STRING()));

    static final int ALERT_COLUMNS = ALERT.size();

    private JudgedRow() {}

    static DataType type() {
        return row(FIELDS);
    }

    /** Without the card, which Flink puts in front itself; with the alert's columns at the end. */
    static DataType outputType() {
        List<DataTypes.Field> fields = new ArrayList<>(FIELDS);
        fields.remove(CARD_ID);
        fields.addAll(ALERT);
        return row(fields);
    }

    private static DataType row(List<DataTypes.Field> fields) {
        return DataTypes.ROW(fields).bridgedTo(RowData.class);
    }

    /** Getters of all columns but the card, in order. */
    static RowData.FieldGetter[] forwarded() {
        List<LogicalType> types = type().getLogicalType().getChildren();
        RowData.FieldGetter[] getters = new RowData.FieldGetter[FIELDS.size() - 1];
        for (int column = 1; column < FIELDS.size(); column++) {
            getters[column - 1] = RowData.createFieldGetter(types.get(column), column);
        }
        return getters;
    }
}
