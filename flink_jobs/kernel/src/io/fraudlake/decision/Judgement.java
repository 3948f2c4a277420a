package io.fraudlake.decision;

import io.fraudlake.KeyState;
import io.fraudlake.event.EventBytes;
import io.fraudlake.event.FeatureArray;
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
import org.apache.flink.table.types.logical.RowType;

/**
 * The last stage, by card: {@code f_judgement(r => TABLE fired PARTITION BY card_id, plan => '...',
 * uid => 'judgement')}.
 *
 * <p>Takes {@link FiredRow}s, restores the card's order where other stages mixed it, and makes of
 * each the decision and, where it is flagged, the alert it belongs to: {@link DecisionRow}s.
 */
public final class Judgement extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;

    private transient JudgementPlan plan;
    private transient AlertKernel alerts;
    private transient Ids ids;
    private transient CardOrder order;
    private transient FeatureArray features;
    private transient StringData[] ruleIds;
    private transient byte[] transactionsName;
    private transient boolean[] fired;
    private transient StringData decisionsTopic;
    private transient StringData alertsTopic;
    private transient StringData transactionsTopic;
    private transient StringData ruleset;
    private transient StringData baseCurrency;
    private transient MapView<Integer, byte[]> state;
    private transient Context context;

    @Override
    public TypeInference getTypeInference(DataTypeFactory factory) {
        return TypeInference.newBuilder()
                .staticArguments(
                        StaticArgument.table(
                                "r",
                                FiredRow.type(),
                                false,
                                EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE)),
                        StaticArgument.scalar(
                                "plan", DataTypes.STRING().bridgedTo(StringData.class), false))
                .stateTypeStrategies(KeyState.declare())
                .outputTypeStrategy(
                        call -> {
                            call.getArgumentValue(1, String.class).ifPresent(JudgementPlan::parse);
                            return Optional.of(DecisionRow.type());
                        })
                .build();
    }

    public void eval(
            Context context, MapView<Integer, byte[]> state, RowData r, StringData plan)
            throws Exception {
        if (this.plan == null) {
            open(plan.toString());
        }
        this.context = context;
        this.state = state;
        if (this.plan.isReordering) {
            order.take(state, r, this::judge);
        } else {
            judge(r);
        }
    }

    /** Lets go of an alert that nothing can join any longer; a later one has its own timer. */
    public void onTimer(OnTimerContext context, MapView<Integer, byte[]> state) throws Exception {
        byte[] stored = state.get(KeyState.WHOLE);
        long now = context.timeContext(Long.class).currentWatermark();
        if (stored != null && OpenAlert.fromBytes(stored).keptUntil <= now) {
            state.remove(KeyState.WHOLE);
        }
    }

    private void open(String text) {
        plan = JudgementPlan.parse(text);
        alerts = new AlertKernel(plan.alertWindowMs);
        ids = new Ids();
        features = new FeatureArray();
        order = new CardOrder((RowType) FiredRow.type().getLogicalType());
        ruleIds =
                plan.rules.stream()
                        .map(rule -> StringData.fromString(rule.id()))
                        .toArray(StringData[]::new);
        fired = new boolean[ruleIds.length];
        decisionsTopic = StringData.fromString(plan.decisionsTopic);
        alertsTopic = StringData.fromString(plan.alertsTopic);
        transactionsTopic = StringData.fromString(plan.transactionsTopic);
        transactionsName = transactionsTopic.toBytes();
        ruleset = StringData.fromString(plan.ruleset);
        baseCurrency = StringData.fromString(plan.baseCurrency);
    }

    private void judge(RowData r) {
        byte[] event = r.getBinary(FiredRow.EVENT);
        ArrayData reasons = r.getArray(FiredRow.REASONS);
        ArrayData firedIds = readFired(reasons);
        double score = plan.score(fired);
        Band band = plan.band(score);
        byte[] decisionId =
                ids.decision(
                        transactionsName, EventBytes.partition(event), EventBytes.offset(event));
        GenericRowData decision = decision(event, decisionId, score, band, firedIds);
        if (band != Band.ALLOW) {
            OpenAlert alert = take(r, event, decisionId, score, band, reasons);
            decision.setField(DecisionRow.ALERT_ID, StringData.fromBytes(alert.alertId));
            collect(decision);
            decision.setField(DecisionRow.TOPIC, alertsTopic);
            decision.setField(DecisionRow.ALERT, row(r, alert));
        }
        collect(decision);
    }

    private ArrayData readFired(ArrayData reasons) {
        int count = 0;
        for (int i = 0; i < fired.length; i++) {
            fired[i] = !reasons.isNullAt(i);
            count += fired[i] ? 1 : 0;
        }
        Object[] names = new Object[count];
        for (int i = 0, n = 0; n < count; i++) {
            if (fired[i]) {
                names[n++] = ruleIds[i];
            }
        }
        return new GenericArrayData(names);
    }

    private GenericRowData decision(
            byte[] event, byte[] decisionId, double score, Band band, ArrayData firedIds) {
        GenericRowData row = new GenericRowData(DecisionRow.WIDTH);
        row.setField(DecisionRow.TOPIC, decisionsTopic);
        row.setField(DecisionRow.DECISION_ID, StringData.fromBytes(decisionId));
        row.setField(DecisionRow.TRANSACTION, EventBytes.raw(event));
        row.setField(DecisionRow.BASE_AMOUNT, EventBytes.amountMinor(event) / 100.0);
        row.setField(DecisionRow.BASE_CURRENCY, baseCurrency);
        row.setField(DecisionRow.FEATURES, features.of(event));
        row.setField(DecisionRow.SCORE, score);
        row.setField(DecisionRow.BAND, band.text);
        row.setField(DecisionRow.RULES_FIRED, firedIds);
        row.setField(DecisionRow.RULESET, ruleset);
        row.setField(DecisionRow.IS_LATE, EventBytes.isLate(event));
        row.setField(DecisionRow.IS_DUPLICATE, EventBytes.isDuplicate(event));
        if (EventBytes.isDuplicate(event)) {
            row.setField(DecisionRow.DUPLICATE_OF_OFFSET, EventBytes.firstOffset(event));
        }
        byte[] previousId = EventBytes.previousId(event);
        if (previousId != null) {
            row.setField(
                    DecisionRow.PREVIOUS_TRANSACTION_ID, StringData.fromBytes(previousId));
        }
        row.setField(
                DecisionRow.SOURCE,
                GenericRowData.of(
                        transactionsTopic,
                        EventBytes.partition(event),
                        EventBytes.offset(event)));
        row.setField(
                DecisionRow.DECIDED_AT, TimestampData.fromEpochMillis(System.currentTimeMillis()));
        return row;
    }

    private OpenAlert take(
            RowData r,
            byte[] event,
            byte[] decisionId,
            double score,
            Band band,
            ArrayData reasons) {
        AlertKernel.Flagged flagged =
                new AlertKernel.Flagged(
                        decisionId,
                        EventBytes.transactionId(event),
                        EventBytes.time(event),
                        EventBytes.amountMinor(event),
                        score,
                        band == Band.BLOCK,
                        reasons(reasons));
        try {
            byte[] stored = state.get(KeyState.WHOLE);
            OpenAlert open = stored == null ? null : OpenAlert.fromBytes(stored);
            OpenAlert alert = alerts.take(r.getString(FiredRow.CARD_ID).toBytes(), open, flagged);
            if (alerts.isToKeep(alert, open)) {
                state.put(KeyState.WHOLE, alert.toBytes());
                if (alert.isNew()) {
                    context.timeContext(Long.class).registerOnTime(alert.keptUntil);
                }
            }
            return alert;
        } catch (Exception error) {
            throw new IllegalStateException("the state of a card's alert cannot be reached", error);
        }
    }

    /** Only active rules explain an alert. */
    private List<Reason> reasons(ArrayData array) {
        List<Reason> reasons = new ArrayList<>();
        for (int i = 0; i < fired.length; i++) {
            JudgementPlan.Rule rule = plan.rules.get(i);
            if (fired[i] && rule.isActive()) {
                RowData reason = array.getRow(i, FiredRow.REASON_WIDTH);
                reasons.add(
                        new Reason(
                                ruleIds[i].toBytes(),
                                rule.weight(),
                                reason.isNullAt(0) ? Double.NaN : reason.getDouble(0),
                                reason.isNullAt(1) ? Double.NaN : reason.getDouble(1),
                                reason.getString(2).toBytes()));
            }
        }
        return reasons;
    }

    private RowData row(RowData r, OpenAlert alert) {
        StringData openingDecision = StringData.fromBytes(alert.openingDecision);
        StringData openingTransaction = StringData.fromBytes(alert.openingTransaction);
        TimestampData openedAt = TimestampData.fromEpochMillis(alert.openedAt);
        return GenericRowData.of(
                StringData.fromBytes(alert.alertId),
                alert.sequence,
                r.getString(FiredRow.CARD_ID),
                r.getString(FiredRow.CUSTOMER_ID),
                openedAt,
                TimestampData.fromEpochMillis(alert.updatedAt),
                alert.sequence,
                alert.amountMinor / 100.0,
                baseCurrency,
                alert.score,
                (alert.isBlock ? Band.BLOCK : Band.REVIEW).text,
                ruleset,
                rows(alert.reasons),
                GenericRowData.of(openingDecision, openingTransaction, openedAt));
    }

    private static ArrayData rows(List<Reason> reasons) {
        Object[] rows = new Object[reasons.size()];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = row(reasons.get(i));
        }
        return new GenericArrayData(rows);
    }

    private static RowData row(Reason reason) {
        return GenericRowData.of(
                StringData.fromBytes(reason.id()),
                reason.weight(),
                Double.isNaN(reason.observed()) ? null : reason.observed(),
                Double.isNaN(reason.limit()) ? null : reason.limit(),
                StringData.fromBytes(reason.because()));
    }
}
