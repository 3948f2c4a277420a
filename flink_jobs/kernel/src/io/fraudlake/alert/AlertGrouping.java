package io.fraudlake.alert;

import io.fraudlake.KeyState;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * The alerts of each card: {@code f_alert_grouping(r => TABLE judged PARTITION BY card_id, window_ms
 * => 86400000, uid => 'alert-grouping')}.
 *
 * <p>Takes {@link JudgedRow}s and gives one for each, in their order, with the alert it belongs to.
 * Only flagged ones touch the state.
 */
public final class AlertGrouping extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;
    private static final StringData ALLOW = StringData.fromString("allow");
    private static final StringData REVIEW = StringData.fromString("review");
    private static final StringData BLOCK = StringData.fromString("block");
    private static final int REASON_FIELDS = 5;

    private transient AlertKernel kernel;
    private transient RowData.FieldGetter[] forwarded;

    @Override
    public TypeInference getTypeInference(DataTypeFactory factory) {
        return TypeInference.newBuilder()
                .staticArguments(
                        StaticArgument.table(
                                "r",
                                JudgedRow.type(),
                                false,
                                EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE)),
                        StaticArgument.scalar("window_ms", DataTypes.BIGINT().notNull(), false))
                .stateTypeStrategies(KeyState.declare())
                .outputTypeStrategy(call -> Optional.of(JudgedRow.outputType()))
                .build();
    }

    public void eval(MapView<Integer, byte[]> state, RowData r, Long windowMs) throws Exception {
        if (kernel == null) {
            kernel = new AlertKernel(windowMs);
            forwarded = JudgedRow.forwarded();
        }
        GenericRowData row = new GenericRowData(forwarded.length + JudgedRow.ALERT_COLUMNS);
        for (int i = 0; i < forwarded.length; i++) {
            row.setField(i, forwarded[i].getFieldOrNull(r));
        }
        if (!ALLOW.equals(r.getString(JudgedRow.BAND))) {
            fill(row, take(state, r));
        }
        collect(row);
    }

    private OpenAlert take(MapView<Integer, byte[]> state, RowData r) throws Exception {
        byte[] stored = state.get(KeyState.WHOLE);
        OpenAlert open = stored == null ? null : OpenAlert.fromBytes(stored);
        OpenAlert alert = kernel.take(r.getString(JudgedRow.CARD_ID).toString(), open, flagged(r));
        if (kernel.isToKeep(alert, open)) {
            state.put(KeyState.WHOLE, alert.toBytes());
        }
        return alert;
    }

    private static AlertKernel.Flagged flagged(RowData r) {
        return new AlertKernel.Flagged(
                r.getString(JudgedRow.DECISION_ID).toString(),
                r.getString(JudgedRow.TRANSACTION_ID).toString(),
                r.getTimestamp(JudgedRow.EVENT_TIME, 3).getMillisecond(),
                r.getLong(JudgedRow.AMOUNT_MINOR),
                r.getDouble(JudgedRow.SCORE),
                BLOCK.equals(r.getString(JudgedRow.BAND)),
                reasons(r.getArray(JudgedRow.REASONS)));
    }

    /** The plan leaves a hole for each rule that did not fire. */
    private static List<Reason> reasons(ArrayData array) {
        List<Reason> reasons = new ArrayList<>();
        for (int i = 0; i < array.size(); i++) {
            if (!array.isNullAt(i)) {
                RowData reason = array.getRow(i, REASON_FIELDS);
                reasons.add(
                        new Reason(
                                reason.getString(0).toString(),
                                reason.getDouble(1),
                                reason.isNullAt(2) ? Double.NaN : reason.getDouble(2),
                                reason.isNullAt(3) ? Double.NaN : reason.getDouble(3),
                                reason.getString(4).toString()));
            }
        }
        return reasons;
    }

    private static void fill(GenericRowData row, OpenAlert alert) {
        int at = row.getArity() - JudgedRow.ALERT_COLUMNS;
        row.setField(at++, StringData.fromString(alert.alertId));
        row.setField(at++, alert.sequence);
        row.setField(at++, TimestampData.fromEpochMillis(alert.openedAt));
        row.setField(at++, TimestampData.fromEpochMillis(alert.updatedAt));
        row.setField(at++, alert.amountMinor);
        row.setField(at++, alert.score);
        row.setField(at++, alert.isBlock ? BLOCK : REVIEW);
        row.setField(at++, array(alert));
        row.setField(at++, StringData.fromString(alert.openingDecision));
        row.setField(at, StringData.fromString(alert.openingTransaction));
    }

    private static ArrayData array(OpenAlert alert) {
        return new GenericArrayData(
                alert.reasons.values().stream().map(AlertGrouping::row).toArray(Object[]::new));
    }

    private static RowData row(Reason reason) {
        return GenericRowData.of(
                StringData.fromString(reason.id()),
                reason.weight(),
                Double.isNaN(reason.observed()) ? null : reason.observed(),
                Double.isNaN(reason.limit()) ? null : reason.limit(),
                StringData.fromString(reason.because()));
    }
}
