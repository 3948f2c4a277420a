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
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * The profile of each card, merchant, device ...: {@code f_profile(r => TABLE events PARTITION BY
 * card_id, plan => '...', uid => 'card-profile')}.
 *
 * <p>Takes and gives {@link EventRow}s, with the stage's features appended. The card's own stage
 * also fills in what the card's history says of the transaction itself; stages behind it pass
 * repeats through untouched. It gives one row for each, at once, in the order of arrival.
 */
public final class Profile extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;

    /** A key that begins so stands for none: it spreads rows without one, and has no profile. */
    private static final byte NO_KEY = 1;

    private transient ProfileKernel kernel;
    private transient ProfileKernel.Event event;
    private transient ProfileKernel.Verdict verdict;
    private transient FeatureArray features;
    private transient RowData.FieldGetter[] forwarded;
    private transient int key;

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
                        // A faulty plan fails while the statement is planned, before anything runs.
                        call ->
                                call.getArgumentValue(1, String.class)
                                        .map(Plan::parse)
                                        .map(plan -> EventRow.indexOf(plan.key))
                                        .or(() -> Optional.of(EventRow.CARD_ID))
                                        .map(EventRow::typeWithout))
                .build();
    }

    public void eval(MapView<Integer, byte[]> state, RowData r, StringData plan) throws Exception {
        if (kernel == null) {
            open(plan.toString());
        }
        if (!hasProfile(r)) {
            java.util.Arrays.fill(verdict.features, Double.NaN);
            verdict.isDuplicate = false;
        } else {
            fill(r);
            state.put(KeyState.WHOLE, kernel.process(state.get(KeyState.WHOLE), event, verdict));
        }
        collect(output(r));
    }

    private void open(String plan) {
        kernel = new ProfileKernel(plan);
        event = new ProfileKernel.Event();
        verdict = new ProfileKernel.Verdict();
        verdict.features = new double[kernel.featureCount()];
        features = new FeatureArray();
        key = EventRow.indexOf(kernel.key());
        forwarded = EventRow.gettersWithout(key);
    }

    private boolean hasProfile(RowData r) {
        if (kernel.isCard()) {
            return true;
        }
        StringData name = r.getString(key);
        boolean isNone = name.toBytes().length > 0 && name.toBytes()[0] == NO_KEY;
        return !isNone && !r.getBoolean(EventRow.IS_DUPLICATE);
    }

    private void fill(RowData r) {
        event.time = r.getTimestamp(EventRow.EVENT_TIME, 3).getMillisecond();
        event.amountMinor = r.getLong(EventRow.AMOUNT_MINOR);
        event.flags = r.getLong(EventRow.FLAGS);
        event.offset = r.getLong(EventRow.SOURCE_OFFSET);
        if (kernel.isCard()) {
            event.transactionId = r.getString(EventRow.TRANSACTION_ID).toBytes();
            event.transactionHash = Hash64.of(event.transactionId);
            event.hasPlace = !r.isNullAt(EventRow.LATITUDE) && !r.isNullAt(EventRow.LONGITUDE);
            event.latitude = event.hasPlace ? r.getDouble(EventRow.LATITUDE) : 0;
            event.longitude = event.hasPlace ? r.getDouble(EventRow.LONGITUDE) : 0;
        }
        if (!r.isNullAt(EventRow.HASHES)) {
            fillHashes(r.getArray(EventRow.HASHES));
        }
    }

    private void fillHashes(ArrayData hashes) {
        if (event.hashes == null) {
            event.hashes = new long[hashes.size()];
        }
        for (int i = 0; i < event.hashes.length; i++) {
            event.hashes[i] = hashes.isNullAt(i) ? 0 : hashes.getLong(i);
        }
    }

    /** The key column is gone, so every column behind it stands one place earlier. */
    private RowData output(RowData r) {
        GenericRowData row = new GenericRowData(forwarded.length);
        for (int i = 0; i < forwarded.length; i++) {
            row.setField(i, forwarded[i].getFieldOrNull(r));
        }
        ArrayData before = r.isNullAt(EventRow.FEATURES) ? null : r.getArray(EventRow.FEATURES);
        row.setField(
                placeOf(EventRow.FEATURES),
                verdict.isDuplicate
                        ? features.nulls(before, verdict.features)
                        : features.concat(before, verdict.features));
        if (kernel.isCard()) {
            fillVerdict(row);
        }
        return row;
    }

    private void fillVerdict(GenericRowData row) {
        row.setField(placeOf(EventRow.EPOCH), verdict.epoch);
        row.setField(placeOf(EventRow.NUMBER), verdict.number);
        row.setField(placeOf(EventRow.IS_LATE), verdict.isLate);
        row.setField(placeOf(EventRow.IS_DUPLICATE), verdict.isDuplicate);
        row.setField(
                placeOf(EventRow.DUPLICATE_OF_OFFSET),
                verdict.isDuplicate ? verdict.duplicateOfOffset : null);
        row.setField(
                placeOf(EventRow.PREVIOUS_TRANSACTION_ID),
                verdict.previousTransactionId == null
                        ? null
                        : StringData.fromBytes(verdict.previousTransactionId));
    }

    private int placeOf(int column) {
        return column > key ? column - 1 : column;
    }
}
