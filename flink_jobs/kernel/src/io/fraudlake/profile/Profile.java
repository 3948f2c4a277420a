package io.fraudlake.profile;

import io.fraudlake.Hash64;
import io.fraudlake.KeyState;
import java.util.EnumSet;
import java.util.Optional;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * The profile of each card: {@code f_card_profile(r => TABLE events PARTITION BY card_id, plan =>
 * '...', uid => 'card-profile')}.
 *
 * <p>Takes and gives {@link EventRow}s, with the stage's features appended and, at the end, what
 * the card's history says of the transaction itself. It sees every row in the order of arrival and
 * gives one row for each, at once.
 */
public final class Profile extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;

    private static final int VERDICT_COLUMNS = 4;

    private transient ProfileKernel kernel;
    private transient ProfileKernel.Event event;
    private transient ProfileKernel.Verdict verdict;
    private transient FeatureArray features;
    private transient RowData.FieldGetter[] forwarded;

    @Override
    public TypeInference getTypeInference(DataTypeFactory factory) {
        return TypeInference.newBuilder()
                .staticArguments(
                        StaticArgument.table(
                                "r",
                                EventRow.type(),
                                false,
                                EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE)),
                        StaticArgument.scalar(
                                "plan", DataTypes.STRING().bridgedTo(StringData.class), false))
                .stateTypeStrategies(KeyState.declare())
                .outputTypeStrategy(
                        call -> {
                            checkPlan(call);
                            return Optional.of(
                                    EventRow.typeWithout(
                                            EventRow.CARD_ID,
                                            DataTypes.FIELD("is_late", DataTypes.BOOLEAN()),
                                            DataTypes.FIELD("is_duplicate", DataTypes.BOOLEAN()),
                                            DataTypes.FIELD(
                                                    "duplicate_of_offset", DataTypes.BIGINT()),
                                            DataTypes.FIELD(
                                                    "previous_transaction_id",
                                                    DataTypes.STRING())));
                        })
                .build();
    }

    /** A faulty plan fails while the statement is planned, before anything runs. */
    private static void checkPlan(CallContext call) {
        call.getArgumentValue(1, String.class).ifPresent(Plan::parse);
    }

    public void eval(MapView<Integer, byte[]> state, RowData r, StringData plan) throws Exception {
        if (kernel == null) {
            open(plan.toString());
        }
        fill(r);
        state.put(KeyState.WHOLE, kernel.process(state.get(KeyState.WHOLE), event, verdict));
        collect(output(r));
    }

    private void open(String plan) {
        kernel = new ProfileKernel(plan);
        event = new ProfileKernel.Event();
        event.hashes = new long[kernel.categoryCount()];
        verdict = new ProfileKernel.Verdict();
        verdict.features = new double[kernel.featureCount()];
        features = new FeatureArray();
        forwarded = EventRow.gettersWithout(EventRow.CARD_ID);
    }

    private void fill(RowData r) {
        StringData id = r.getString(EventRow.TRANSACTION_ID);
        event.transactionId = id.toBytes();
        event.transactionHash = Hash64.of(event.transactionId);
        event.time = r.getTimestamp(EventRow.EVENT_TIME, 3).getMillisecond();
        event.amountMinor = r.getLong(EventRow.AMOUNT_MINOR);
        event.flags = r.getLong(EventRow.FLAGS);
        event.hasPlace = !r.isNullAt(EventRow.LATITUDE) && !r.isNullAt(EventRow.LONGITUDE);
        event.latitude = event.hasPlace ? r.getDouble(EventRow.LATITUDE) : 0;
        event.longitude = event.hasPlace ? r.getDouble(EventRow.LONGITUDE) : 0;
        event.offset = r.getLong(EventRow.SOURCE_OFFSET);
        if (event.hashes.length > 0) {
            ArrayData hashes = r.getArray(EventRow.HASHES);
            for (int i = 0; i < event.hashes.length; i++) {
                event.hashes[i] = hashes.isNullAt(i) ? 0 : hashes.getLong(i);
            }
        }
    }

    private RowData output(RowData r) {
        int width = forwarded.length;
        GenericRowData row = new GenericRowData(width + VERDICT_COLUMNS);
        for (int i = 0; i < width; i++) {
            row.setField(i, forwarded[i].getFieldOrNull(r));
        }
        ArrayData before = r.isNullAt(EventRow.FEATURES) ? null : r.getArray(EventRow.FEATURES);
        // The key column is gone, so every column behind it stands one place earlier.
        row.setField(
                EventRow.FEATURES - 1,
                verdict.isDuplicate
                        ? features.nulls(before, verdict.features)
                        : features.concat(before, verdict.features));
        row.setField(width, verdict.isLate);
        row.setField(width + 1, verdict.isDuplicate);
        row.setField(width + 2, verdict.isDuplicate ? verdict.duplicateOfOffset : null);
        row.setField(
                width + 3,
                verdict.previousTransactionId == null
                        ? null
                        : StringData.fromBytes(verdict.previousTransactionId));
        return row;
    }
}
