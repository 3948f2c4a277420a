package io.fraudlake.profile;

import io.fraudlake.Hash64;
import io.fraudlake.KeyState;
import io.fraudlake.event.Bytes;
import io.fraudlake.event.EventBytes;
import io.fraudlake.event.EventRow;
import java.util.EnumSet;
import java.util.Optional;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * The profile of each card, merchant, device ...: {@code f_profile(r => TABLE events PARTITION BY
 * card_id, plan => '...', on_time => DESCRIPTOR(event_time), uid => 'card-profile')}.
 *
 * <p>Takes and gives {@link EventRow}s, with the stage's features filled in. The card's own stage
 * also fills in what the card's history says of the transaction itself; stages behind it pass
 * repeats through untouched. It gives one row for each, at once, in the order of arrival.
 */
public final class Profile extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;

    /** A key that begins so stands for none: it spreads rows without one, and has no profile. */
    private static final byte NO_KEY = 1;

    /** An idle key is let go of so much later than it is forgotten: a late event still finds it. */
    private static final long GRACE_MS = 86_400_000;

    private transient ProfileKernel kernel;
    private transient ProfileKernel.Event event;
    private transient ProfileKernel.Verdict verdict;
    private transient int key;

    @Override
    public TypeInference getTypeInference(DataTypeFactory factory) {
        return TypeInference.newBuilder()
                .staticArguments(
                        StaticArgument.table(
                                "r",
                                EventRow.type(),
                                false,
                                EnumSet.of(
                                        StaticArgumentTrait.SET_SEMANTIC_TABLE,
                                        StaticArgumentTrait.REQUIRE_ON_TIME)),
                        StaticArgument.scalar(
                                "plan", DataTypes.STRING().bridgedTo(StringData.class), false))
                .stateTypeStrategies(KeyState.declare())
                .outputTypeStrategy(
                        // A faulty plan fails while the statement is planned, before anything runs.
                        call ->
                                call.getArgumentValue(1, String.class)
                                        .map(Plan::parse)
                                        .map(plan -> EventRow.keyIndex(plan.key))
                                        .or(() -> Optional.of(EventRow.CARD_ID))
                                        .map(EventRow::typeWithout))
                .build();
    }

    public void eval(Context context, MapView<Integer, byte[]> state, RowData r, StringData plan)
            throws Exception {
        if (kernel == null) {
            open(plan.toString());
        }
        byte[] bytes = EventRow.event(r);
        if (hasProfile(r, bytes)) {
            bytes = take(context, state, bytes);
        }
        collect(EventRow.forward(r, key, bytes));
    }

    /** The key was idle for long, or its time has not come yet. */
    public void onTimer(OnTimerContext context, MapView<Integer, byte[]> state) throws Exception {
        byte[] stored = state.get(KeyState.WHOLE);
        if (stored == null) {
            return;
        }
        TimeContext<Long> clock = context.timeContext(Long.class);
        long idleAt = ProfileKernel.idleAt(stored) + GRACE_MS;
        if (clock.currentWatermark() >= idleAt) {
            state.remove(KeyState.WHOLE);
        } else {
            clock.registerOnTime(idleAt);
        }
    }

    private void open(String plan) {
        kernel = new ProfileKernel(plan);
        event = new ProfileKernel.Event();
        verdict = new ProfileKernel.Verdict();
        verdict.features = new double[kernel.featureCount()];
        key = EventRow.keyIndex(kernel.key());
    }

    private boolean hasProfile(RowData r, byte[] bytes) {
        if (kernel.isCard()) {
            return true;
        }
        StringData name = r.getString(key);
        return !EventBytes.isDuplicate(bytes) && !name.toString().startsWith("\u0001");
    }

    private byte[] take(Context context, MapView<Integer, byte[]> state, byte[] bytes)
            throws Exception {
        fill(bytes);
        byte[] kept = kernel.process(state.get(KeyState.WHOLE), event, verdict);
        if (kernel.wantsTimer()) {
            long idleAt = ProfileKernel.idleAt(kept) + GRACE_MS;
            context.timeContext(Long.class).registerOnTime(idleAt);
        }
        state.put(KeyState.WHOLE, kept);
        for (int i = 0; i < verdict.features.length; i++) {
            EventBytes.setFeature(bytes, kernel.firstFeature() + i, verdict.features[i]);
        }
        if (kernel.isNumbering()) {
            EventBytes.setNumber(bytes, nextNumber(state));
        }
        return kernel.isCard() ? withVerdict(bytes) : bytes;
    }

    private void fill(byte[] bytes) {
        event.time = EventBytes.time(bytes);
        event.amountMinor = EventBytes.amountMinor(bytes);
        event.flags = EventBytes.flags(bytes);
        event.offset = EventBytes.offset(bytes);
        if (kernel.isCard()) {
            event.transactionId = EventBytes.transactionId(bytes);
            event.transactionHash = Hash64.of(event.transactionId);
            event.latitude = EventBytes.latitude(bytes);
            event.longitude = EventBytes.longitude(bytes);
            event.hasPlace = !Double.isNaN(event.latitude);
        }
        if (event.hashes == null) {
            event.hashes = new long[EventBytes.hashCount(bytes)];
        }
        for (int i = 0; i < event.hashes.length; i++) {
            event.hashes[i] = EventBytes.hash(bytes, i);
        }
    }

    private byte[] withVerdict(byte[] bytes) {
        EventBytes.setLate(bytes, verdict.isLate);
        if (verdict.isDuplicate) {
            EventBytes.setDuplicate(bytes, verdict.duplicateOfOffset);
        }
        return verdict.previousTransactionId == null
                ? bytes
                : EventBytes.withPreviousId(bytes, verdict.previousTransactionId);
    }

    private static int nextNumber(MapView<Integer, byte[]> state) throws Exception {
        byte[] stored = state.get(KeyState.NUMBER);
        byte[] next = new byte[Integer.BYTES];
        Bytes.putInt(next, 0, stored == null ? 1 : Bytes.getInt(stored, 0) + 1);
        state.put(KeyState.NUMBER, next);
        return Bytes.getInt(next, 0);
    }
}
