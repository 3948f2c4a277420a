package io.fraudlake.profile;

import java.util.Arrays;

/**
 * One event against what its key remembers: features, lateness, repetition; then the new memory.
 *
 * <p>Nothing here knows Flink, so a test can drive it directly. The semantics are written down in
 * {@code pipelines/reference.py}, which computes the same slowly.
 */
public final class ProfileKernel {

    private final Plan plan;
    private final int[] sinceLastFeatures;
    private final int[] seenCategories;
    private final int[] loggedCategories;
    private final int[] loggedHashes;
    private final WindowAggregates windows;
    private final ProfileState state;
    private final RecentIds ids;
    private final EventLog log;
    private final SeenValues[] seen;

    /** What the kernel asks of an event; {@code hashes} holds 0 where a category has no value. */
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
        plan = Plan.parse(planJson);
        sinceLastFeatures = plan.positionsOf(Plan.Aggregate.SINCE_LAST_MIN);
        seenCategories = plan.categoriesOf(Plan.Aggregate.FIRST_SEEN);
        loggedCategories = plan.categoriesOf(Plan.Aggregate.DISTINCT);
        loggedHashes = new int[loggedCategories.length];
        windows = new WindowAggregates(plan, loggedCategories);
        ProfileLayout layout = ProfileLayout.of(plan);
        state = new ProfileState(layout, windows.size());
        ids = new RecentIds(state.ids);
        log = new EventLog(state.events, layout);
        seen = Arrays.stream(state.seen).map(SeenValues::new).toArray(SeenValues[]::new);
    }

    public int featureCount() {
        return plan.features.size();
    }

    public int categoryCount() {
        return plan.categories.size();
    }

    /** The key's bytes after the event: often the same array, changed; null stays for no key. */
    public byte[] process(byte[] stored, Event event, Verdict verdict) {
        if (state.open(stored)) {
            windows.attach(state);
            windows.rebuild(log, log.count(), state.newest());
            forget(state.newest()); // the longest window may be a shorter one now
        }
        Arrays.fill(verdict.features, Double.NaN);
        verdict.previousTransactionId = null;
        verdict.isLate = event.time < state.newest();
        long newest = Math.max(state.newest(), event.time);

        // A repeat is decided once: it changes nothing, not even what counts as newest.
        verdict.duplicateOfOffset = ids.offsetOf(event.transactionHash, newest - RecentIds.MEMORY_MS);
        verdict.isDuplicate = verdict.duplicateOfOffset >= 0;
        if (verdict.isDuplicate) {
            return state.bytes;
        }
        sinceLast(event, verdict);
        state.setNewest(newest);
        ids.add(event.transactionHash, newest, event.offset);
        windowed(event, verdict, newest);
        travelled(event, verdict);
        firstSeen(event, verdict, newest);
        return state.bytes;
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
            loggedHashes[c] = shortHash(event.hashes[loggedCategories[c]]);
        }
        windows.attach(state);
        windows.advance(log, newest);
        if (verdict.isLate) {
            insertLate(event, verdict, newest);
        } else {
            windows.readOff(verdict.features, true);
            insert(log.count(), event);
            windows.add(log);
            windows.readOff(verdict.features, false);
        }
        forget(newest);
    }

    /** Decided as of its own time, over what has arrived; then the windows of now hold it too. */
    private void insertLate(Event event, Verdict verdict, long newest) {
        int position = log.positionAfter(event.time);
        windows.rebuild(log, position, event.time);
        windows.readOff(verdict.features, true);
        insert(position, event);
        windows.rebuild(log, position + 1, event.time);
        windows.readOff(verdict.features, false);
        windows.rebuild(log, log.count(), newest);
    }

    private void insert(int position, Event event) {
        log.insert(position, event.time, (int) event.flags, event.amountMinor, loggedHashes);
        windows.attach(state);
    }

    /** Drops what has left the longest window, and the oldest beyond the capacity. */
    private void forget(long newest) {
        int gone = Math.max(0, log.count() - EventLog.CAPACITY);
        while (gone < log.count() && log.time(gone) <= newest - plan.horizonMs) {
            gone++;
        }
        if (gone > 0) {
            windows.dropFirst(log, gone);
            log.dropFirst(gone);
        }
    }

    private void travelled(Event event, Verdict verdict) {
        boolean isPlace =
                event.hasPlace
                        && (plan.placeFilter < 0 || (event.flags >>> plan.placeFilter & 1) != 0);
        if (!isPlace) {
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
                default -> { }
            }
        }
    }

    private void firstSeen(Event event, Verdict verdict, long newest) {
        for (int s = 0; s < seenCategories.length; s++) {
            int category = seenCategories[s];
            int hash = shortHash(event.hashes[category]);
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

    /** 32 bits of a 64-bit hash, never 0 for a value, always 0 for none. */
    private static int shortHash(long hash) {
        if (hash == 0) {
            return 0;
        }
        int folded = (int) (hash ^ hash >>> 32);
        return folded == 0 ? 1 : folded;
    }
}
