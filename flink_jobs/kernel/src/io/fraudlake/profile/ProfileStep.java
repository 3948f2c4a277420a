package io.fraudlake.profile;

import io.fraudlake.Hash64;
import io.fraudlake.KeyState;
import io.fraudlake.event.EventBytes;
import io.fraudlake.event.EventRow;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ProcessTableFunction.Context;
import org.apache.flink.table.functions.ProcessTableFunction.OnTimerContext;
import org.apache.flink.table.functions.ProcessTableFunction.TimeContext;

/**
 * One transaction on its way through a stage: the kernel and the frauds are asked and told, and the
 * row goes on with the stage's features filled in.
 */
final class ProfileStep {

    /** A key that begins so stands for none: it spreads rows without one, and has no profile. */
    private static final String NO_KEY = "\u0001";

    /** An idle key is let go of so much later than it is forgotten: a late event still finds it. */
    private static final long GRACE_MS = 86_400_000;

    private final ProfileKernel kernel;
    private final FraudHistory frauds;
    private final ProfileKernel.Event event = new ProfileKernel.Event();
    private final ProfileKernel.Verdict verdict = new ProfileKernel.Verdict();
    private final StateMemory memory = new StateMemory();
    private final int key;

    /** Flink's state of the key at hand. */
    private static final class StateMemory implements KeyMemory {

        private MapView<Integer, byte[]> state;

        @Override
        public byte[] get(Integer part) {
            try {
                return state.get(part);
            } catch (Exception error) {
                throw new IllegalStateException("a key's profile cannot be read", error);
            }
        }

        @Override
        public void put(Integer part, byte[] bytes) {
            try {
                if (bytes == null) {
                    state.remove(part);
                } else {
                    state.put(part, bytes);
                }
            } catch (Exception error) {
                throw new IllegalStateException("a key's profile cannot be written", error);
            }
        }
    }

    ProfileStep(String planJson) {
        Plan plan = Plan.parse(planJson);
        kernel = new ProfileKernel(plan);
        frauds = new FraudHistory(plan);
        verdict.features = new double[kernel.featureCount()];
        key = EventRow.keyIndex(kernel.key());
    }

    /** The row that goes on. */
    RowData take(Context context, MapView<Integer, byte[]> state, RowData r)
            throws Exception {
        byte[] bytes = EventRow.event(r);
        return EventRow.forward(r, key, hasProfile(r, bytes) ? take(context, state, bytes) : bytes);
    }

    /** What a transaction of this key turned out to be. */
    void learn(
            Context context,
            MapView<Integer, byte[]> state,
            long transactionHash,
            long time,
            boolean isFraud,
            long labelTime)
            throws Exception {
        byte[] before = state.get(KeyState.FRAUDS);
        byte[] after = frauds.learn(before, transactionHash, time, isFraud, labelTime);
        if (after == null) {
            return;
        }
        state.put(KeyState.FRAUDS, after);
        if (before == null) {
            registerTimer(context, FraudHistory.idleAt(after));
        }
    }

    /**
     * Lets go of what no window reaches any longer: the profile of a device is over in hours, while
     * frauds on it are counted for weeks. They have no timer of their own while there is a profile.
     */
    static void onTimer(OnTimerContext context, MapView<Integer, byte[]> state) throws Exception {
        StateMemory memory = new StateMemory();
        memory.state = state;
        TimeContext<Long> clock = context.timeContext(Long.class);
        byte[] whole = state.get(KeyState.WHOLE);
        if (whole != null && !isOver(clock, ProfileKernel.idleAt(whole))) {
            return;
        }
        if (whole != null) {
            ProfileKernel.letGo(memory);
        }
        byte[] frauds = state.get(KeyState.FRAUDS);
        if (frauds != null && isOver(clock, FraudHistory.idleAt(frauds))) {
            state.remove(KeyState.FRAUDS);
        }
    }

    private static boolean isOver(TimeContext<Long> clock, long idleAt) {
        boolean isOver = clock.currentWatermark() >= idleAt + GRACE_MS;
        if (!isOver) {
            clock.registerOnTime(idleAt + GRACE_MS);
        }
        return isOver;
    }

    private static void registerTimer(Context context, long idleAt) {
        context.timeContext(Long.class).registerOnTime(idleAt + GRACE_MS);
    }

    private boolean hasProfile(RowData r, byte[] bytes) {
        if (kernel.isCard()) {
            return true;
        }
        StringData name = r.getString(key);
        return !EventBytes.isDuplicate(bytes) && !name.toString().startsWith(NO_KEY);
    }

    private byte[] take(Context context, MapView<Integer, byte[]> state, byte[] bytes)
            throws Exception {
        fill(bytes);
        memory.state = state;
        byte[] kept = kernel.process(memory, event, verdict);
        if (kernel.wantsTimer()) {
            registerTimer(context, ProfileKernel.idleAt(kept));
        }
        if (kernel.isNumbering()) {
            EventBytes.setNumber(bytes, kernel.nextNumber());
        }
        state.put(KeyState.WHOLE, kept);
        if (frauds.isWanted()) {
            byte[] known = state.get(KeyState.FRAUDS);
            frauds.readOff(verdict.features, known, event.time);
            state.put(KeyState.FRAUDS, frauds.count(known, event.time));
        }
        for (int i = 0; i < verdict.features.length; i++) {
            EventBytes.setFeature(bytes, kernel.firstFeature() + i, verdict.features[i]);
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
}
