package io.fraudlake.profile;

import io.fraudlake.KeyState;
import io.fraudlake.event.Bytes;
import java.util.Arrays;

/**
 * One event against what its key remembers: features, lateness, repetition; then the new memory.
 *
 * <p>Nothing here knows Flink, so a test can drive it directly. The semantics are written down in
 * {@code pipelines/reference}, which computes the same slowly.
 */
public final class ProfileKernel {

    private static final long NO_OFFSET = -1;

    private final Plan plan;
    private final int[] filterPositions;
    private final int[] categoryPositions;
    private final int[] sinceLastFeatures;
    private final int[] valueFeatures;
    private final int[] seenCategories;
    private final int[] loggedCategories;
    private final int[] loggedHashes;
    private final long[] valuesHorizonsMs;
    private final WindowAggregates windows;
    private final WindowScans scans;
    private final ProfileState state;
    private final RecentIds ids;
    private final EventLog log;
    private final SeenValues[] seen;

    /**
     * What the kernel asks of an event; {@code flags} and {@code hashes} (0: no value) stand where
     * the plan's inputs point.
     */
    public static final class Event {
        public byte[] transactionId;
        public long transactionHash;
        public long time;
        public long amountMinor;
        public long flags;
        public boolean hasPlace;
        public double latitude;
        public double longitude;
        public long[] hashes;
        public long offset;
    }

    /** What it says of it; NaN in {@code features} stands for NULL. */
    public static final class Verdict {
        public double[] features;
        public boolean isLate;
        public boolean isDuplicate;
        public long duplicateOfOffset;
        public byte[] previousTransactionId;
    }

    public ProfileKernel(String planJson) {
        this(Plan.parse(planJson));
    }

    ProfileKernel(Plan plan) {
        this.plan = plan;
        filterPositions = plan.filters.stream().mapToInt(Plan.Input::position).toArray();
        categoryPositions = plan.categories.stream().mapToInt(Plan.Input::position).toArray();
        sinceLastFeatures = plan.positionsOf(Plan.Aggregate.SINCE_LAST_MIN::equals);
        valueFeatures = plan.positionsOf(Plan.Aggregate::readsValues);
        seenCategories = plan.categoriesOf(Plan.Aggregate.FIRST_SEEN::equals);
        loggedCategories = plan.categoriesOf(Plan.Aggregate::readsValues);
        loggedHashes = new int[loggedCategories.length];
        valuesHorizonsMs = Arrays.stream(loggedCategories).mapToLong(plan::valuesHorizonMs).toArray();
        windows = new WindowAggregates(plan, loggedCategories);
        scans = new WindowScans(plan, loggedCategories);
        ProfileLayout layout = ProfileLayout.of(plan);
        state = new ProfileState(layout, windows, plan.forgetAfterMs);
        ids = new RecentIds(state.ids);
        log = new EventLog(state.events, state.hashes, layout);
        seen = Arrays.stream(state.seen).map(SeenValues::new).toArray(SeenValues[]::new);
    }

    public int featureCount() {
        return plan.features.size();
    }

    /** The column of the event row that the stage is keyed by. */
    public String key() {
        return plan.key;
    }

    public boolean isCard() {
        return plan.isCard;
    }

    /** Whether the rows of each card are numbered, for stages that mix them. */
    public boolean isNumbering() {
        return plan.isNumbering;
    }

    /** Where the stage's features begin among those of all stages. */
    public int firstFeature() {
        return plan.firstFeature;
    }

    /** The key's {@link KeyState#WHOLE} after the event, to be put back: often the same array. */
    public byte[] process(KeyMemory memory, Event event, Verdict verdict) {
        byte[] stored = memory.get(KeyState.WHOLE);
        boolean isCarriedOver = state.open(stored);
        if (stored == null && plan.isCard) {
            state.setNumber(numberKept(memory)); // also for a later plan that numbers again
        }
        boolean mayHavePanes = isCarriedOver || state.panes.count() > 0;
        windows.open(memory);
        if (isCarriedOver) {
            windows.attach(state);
            windows.rebuild(log, state.newest());
            forget(state.newest()); // the longest window may be a shorter one now
        }
        if (state.newest() != ProfileState.NO_TIME
                && event.time > state.newest() + plan.forgetAfterMs) {
            state.forget();
        }
        Arrays.fill(verdict.features, Double.NaN);
        verdict.previousTransactionId = null;
        verdict.isLate = event.time < state.newest();
        long newest = Math.max(state.newest(), event.time);
        verdict.duplicateOfOffset = NO_OFFSET;
        if (plan.isCard) {
            verdict.duplicateOfOffset =
                    ids.offsetOf(event.transactionHash, newest - RecentIds.MEMORY_MS);
        }
        verdict.isDuplicate = verdict.duplicateOfOffset != NO_OFFSET;
        // A repeat is decided once: it changes nothing, not even what counts as newest.
        if (!verdict.isDuplicate) {
            take(event, verdict, newest);
        }
        if (mayHavePanes && state.panes.count() == 0) {
            memory.put(KeyState.PANES, null);
        } else {
            windows.save(memory);
        }
        return state.bytes;
    }

    /** Marks the key as one whose timer is set; true when it was not yet. */
    public boolean wantsTimer() {
        boolean isNew = !state.hasTimer();
        state.setTimer();
        return isNew;
    }

    /** The next number of a card's rows, without a gap for good. */
    public int nextNumber() {
        int next = ProfileState.number(state.bytes) + 1;
        state.setNumber(next);
        return next;
    }

    /** Lets go of a profile, all but the number of its rows. */
    public static void letGo(KeyMemory memory) {
        int number = ProfileState.number(memory.get(KeyState.WHOLE));
        if (number > 0) {
            byte[] kept = new byte[Integer.BYTES];
            Bytes.putInt(kept, 0, number);
            memory.put(KeyState.NUMBER, kept);
        }
        memory.put(KeyState.WHOLE, null);
        memory.put(KeyState.PANES, null);
    }

    private static int numberKept(KeyMemory memory) {
        byte[] kept = memory.get(KeyState.NUMBER);
        return kept == null ? 0 : Bytes.getInt(kept, 0);
    }

    /** When a key has nothing left that an event could ask for, if none comes before. */
    public static long idleAt(byte[] stored) {
        return ProfileState.idleAt(stored);
    }

    private void take(Event event, Verdict verdict, long newest) {
        sinceLast(event, verdict);
        state.setNewest(newest);
        if (plan.isCard) {
            ids.add(event.transactionHash, newest, event.offset);
        }
        windowed(event, verdict, newest);
        travelled(event, verdict);
        firstSeen(event, verdict, newest);
    }

    /** From the newest before; unknown for the first, and for a late one. */
    private void sinceLast(Event event, Verdict verdict) {
        if (verdict.isLate || state.newest() == ProfileState.NO_TIME) {
            return;
        }
        for (int feature : sinceLastFeatures) {
            verdict.features[feature] = (event.time - state.newest()) / 60_000.0;
        }
    }

    private void windowed(Event event, Verdict verdict, long newest) {
        for (int c = 0; c < loggedHashes.length; c++) {
            loggedHashes[c] = shortHash(event, loggedCategories[c]);
        }
        windows.attach(state);
        windows.advance(log, newest);
        if (verdict.isLate) {
            insertLate(event, verdict, newest);
        } else {
            windows.readOff(verdict.features, true);
            scan(event, verdict, log.count(), true);
            insert(log.count(), event);
            windows.add(log);
            windows.readOff(verdict.features, false);
            scan(event, verdict, log.count(), false);
        }
        forget(newest);
    }

    /** Decided as of its own time, over what has arrived; then the windows of now hold it too. */
    private void insertLate(Event event, Verdict verdict, long newest) {
        int position = log.positionAfter(event.time);
        windows.readOffAsOf(verdict.features, log, position, event.time, false);
        scan(event, verdict, position, true);
        insert(position, event);
        windows.addInserted(log, position);
        windows.readOffAsOf(verdict.features, log, position + 1, event.time, true);
        scan(event, verdict, position + 1, false);
        for (int feature : valueFeatures) {
            int column = Arrays.binarySearch(loggedCategories, plan.features.get(feature).category());
            if (event.time <= newest - valuesHorizonsMs[column]) {
                verdict.features[feature] = Double.NaN; // no value of its time is kept
            }
        }
    }

    private void scan(Event event, Verdict verdict, int end, boolean isBeforeCurrent) {
        if (scans.exist()) {
            var current = new WindowScans.Current(event.time, event.amountMinor, loggedHashes);
            scans.readOff(verdict.features, log, end, current, isBeforeCurrent);
        }
    }

    private void insert(int position, Event event) {
        log.insert(position, event.time, localFlags(event), event.amountMinor, loggedHashes);
        windows.attach(state);
    }

    /** The stage's own filters, gathered from the bits of all. */
    private int localFlags(Event event) {
        int flags = 0;
        for (int f = 0; f < filterPositions.length; f++) {
            flags |= (int) (event.flags >>> filterPositions[f] & 1) << f;
        }
        return flags;
    }

    /** Drops what has left the longest window, and the oldest beyond the capacity. */
    private void forget(long newest) {
        int surplus = log.count() - EventLog.CAPACITY;
        int gone = surplus < EventLog.BATCH ? 0 : surplus;
        while (gone < log.count() && log.time(gone) <= newest - plan.horizonMs) {
            gone++;
        }
        if (gone > 0) {
            windows.dropFirst(state, log, gone);
            log.dropFirst(gone);
        }
        if (windows.arePanesOver()) {
            state.compact();
            windows.attach(state);
            windows.rebuild(log, newest);
        }
        for (int c = 0; c < loggedHashes.length; c++) {
            log.forgetHashes(c, newest - valuesHorizonsMs[c]);
        }
    }

    private void travelled(Event event, Verdict verdict) {
        boolean isPlace =
                event.hasPlace
                        && (plan.placeFilter < 0
                                || (localFlags(event) >>> plan.placeFilter & 1) != 0);
        if (!plan.isCard || !isPlace) {
            return;
        }
        boolean isOnward = state.hasPlace() && state.placeTime() <= event.time;
        if (isOnward) {
            travelFeatures(event, verdict.features);
            verdict.previousTransactionId = state.placeTransactionId();
        }
        if (isOnward || !state.hasPlace()) {
            state.setPlace(event.time, event.latitude, event.longitude, event.transactionId);
        }
    }

    private void travelFeatures(Event event, double[] features) {
        long gapMs = event.time - state.placeTime();
        double km =
                Travel.km(
                        state.placeLatitude(),
                        state.placeLongitude(),
                        event.latitude,
                        event.longitude);
        for (int i = 0; i < features.length; i++) {
            switch (plan.features.get(i).aggregate()) {
                case TRAVEL_KM -> features[i] = km;
                case TRAVEL_GAP_MIN -> features[i] = gapMs / 60_000.0;
                case TRAVEL_KMH -> features[i] = Travel.kmh(km, gapMs);
                case TRAVEL_FROM_LATITUDE -> features[i] = state.placeLatitude();
                case TRAVEL_FROM_LONGITUDE -> features[i] = state.placeLongitude();
                default -> { }
            }
        }
    }

    private void firstSeen(Event event, Verdict verdict, long newest) {
        for (int s = 0; s < seenCategories.length; s++) {
            int category = seenCategories[s];
            int hash = shortHash(event, category);
            if (hash == 0) {
                continue;
            }
            double isNew = seen[s].add(hash, event.time, newest) ? 1 : 0;
            for (int i = 0; i < verdict.features.length; i++) {
                Plan.Feature feature = plan.features.get(i);
                if (feature.aggregate() == Plan.Aggregate.FIRST_SEEN
                        && feature.category() == category) {
                    verdict.features[i] = isNew;
                }
            }
        }
    }

    /** 32 bits of a category's 64-bit hash, never 0 for a value, always 0 for none. */
    private int shortHash(Event event, int category) {
        long hash = event.hashes[categoryPositions[category]];
        if (hash == 0) {
            return 0;
        }
        int folded = (int) (hash ^ hash >>> 32);
        return folded == 0 ? 1 : folded;
    }
}
