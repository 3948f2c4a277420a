package io.fraudlake.decision;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/** What the outbox writes, in the order of its columns; Flink puts the card before it. */
final class DecisionRow {

    static final int DECISION_ID = 0;
    static final int TRANSACTION = 1;
    static final int BASE_AMOUNT = 2;
    static final int BASE_CURRENCY = 3;
    static final int FEATURES = 4;
    static final int SCORE = 5;
    static final int BAND = 6;
    static final int RULES_FIRED = 7;
    static final int RULESET = 8;
    static final int MODEL = 9;
    static final int IS_LATE = 10;
    static final int IS_DUPLICATE = 11;
    static final int DUPLICATE_OF_OFFSET = 12;
    static final int PREVIOUS_TRANSACTION_ID = 13;
    static final int SOURCE = 14;
    static final int DECIDED_AT = 15;
    static final int ALERT_ID = 16;
    static final int ALERT = 17;
    static final int TOPIC = 18;
    static final int WIDTH = 19;

    private static final DataType RULE =
            DataTypes.ROW(
                    DataTypes.FIELD("id", DataTypes.STRING()),
                    DataTypes.FIELD("weight", DataTypes.DOUBLE()),
                    DataTypes.FIELD("observed", DataTypes.DOUBLE()),
                    DataTypes.FIELD("limit", DataTypes.DOUBLE()),
                    DataTypes.FIELD("because", DataTypes.STRING()));
    private static final DataType OPENING =
            DataTypes.ROW(
                    DataTypes.FIELD("decision_id", DataTypes.STRING()),
                    DataTypes.FIELD("transaction_id", DataTypes.STRING()),
                    DataTypes.FIELD("event_time", DataTypes.TIMESTAMP_LTZ(3)));
    private static final DataType SOURCE_TYPE =
            DataTypes.ROW(
                    DataTypes.FIELD("topic", DataTypes.STRING()),
                    DataTypes.FIELD("partition", DataTypes.INT()),
                    DataTypes.FIELD("offset", DataTypes.BIGINT()));
    private static final DataType ALERT_TYPE =
            DataTypes.ROW(
                    DataTypes.FIELD("alert_id", DataTypes.STRING()),
                    DataTypes.FIELD("sequence", DataTypes.BIGINT()),
                    DataTypes.FIELD("card_id", DataTypes.STRING()),
                    DataTypes.FIELD("customer_id", DataTypes.STRING()),
                    DataTypes.FIELD("opened_at", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("updated_at", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("decisions", DataTypes.BIGINT()),
                    DataTypes.FIELD("money_at_risk", DataTypes.DOUBLE()),
                    DataTypes.FIELD("base_currency", DataTypes.STRING()),
                    DataTypes.FIELD("score", DataTypes.DOUBLE()),
                    DataTypes.FIELD("band", DataTypes.STRING()),
                    DataTypes.FIELD("ruleset", DataTypes.STRING()),
                    DataTypes.FIELD("rules", DataTypes.ARRAY(RULE)),
                    DataTypes.FIELD("opening", OPENING));

    private DecisionRow() {}

    static DataType type() {
        return DataTypes.ROW(
                        DataTypes.FIELD("decision_id", DataTypes.STRING()),
                        DataTypes.FIELD("transaction", DataTypes.BYTES()),
                        DataTypes.FIELD("base_amount", DataTypes.DOUBLE()),
                        DataTypes.FIELD("base_currency", DataTypes.STRING()),
                        DataTypes.FIELD("features", DataTypes.ARRAY(DataTypes.DOUBLE())),
                        DataTypes.FIELD("score", DataTypes.DOUBLE()),
                        DataTypes.FIELD("band", DataTypes.STRING()),
                        DataTypes.FIELD("rules_fired", DataTypes.ARRAY(DataTypes.STRING())),
                        DataTypes.FIELD("ruleset", DataTypes.STRING()),
                        DataTypes.FIELD("model", DataTypes.STRING()),
                        DataTypes.FIELD("is_late", DataTypes.BOOLEAN()),
                        DataTypes.FIELD("is_duplicate", DataTypes.BOOLEAN()),
                        DataTypes.FIELD("duplicate_of_offset", DataTypes.BIGINT()),
                        DataTypes.FIELD("previous_transaction_id", DataTypes.STRING()),
                        DataTypes.FIELD("source", SOURCE_TYPE),
                        DataTypes.FIELD("decided_at", DataTypes.TIMESTAMP_LTZ(3)),
                        DataTypes.FIELD("alert_id", DataTypes.STRING()),
                        DataTypes.FIELD("alert", ALERT_TYPE),
                        DataTypes.FIELD("topic", DataTypes.STRING().notNull()))
                .bridgedTo(RowData.class);
    }
}
