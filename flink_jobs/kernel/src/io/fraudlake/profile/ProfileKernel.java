package io.fraudlake.profile;

import java.util.Arrays;
import java.util.List;

/**
 * One event against what its key remembers: features, lateness, repetition; then the new memory.
 *
 * <p>Nothing here knows Flink, so a test can drive it directly. The semantics are written down in
 * {@code pipelines/reference.py}, which computes the same slowly.
 */
public final class ProfileKernel {

    private final Plan plan;
    private final ProfileState state;
    private final WindowScan scan;
    private final int[] seenCategories;
    private final int[] loggedCategories;

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
        seenCategories = plan.categoriesOf(Plan.Aggregate.FIRST_SEEN);
        loggedCategories = plan.categoriesOf(Plan.Aggregate.DISTINCT);
        state = new ProfileState(seenCategories.length, loggedCategories.length);
        scan = new WindowScan(plan, loggedCategories);
    }

    public int featureCount() {
        return plan.features.size();
    }

    public int categoryCount() {
        return plan.categories;
    }

    /** The key's new bytes, or {@code before} itself where the event changes nothing. */
    public byte[] process(byte[] before, Event event, Verdict verdict) {
        state.read(before);
        long newest = Math.max(state.newest, event.time);
        Arrays.fill(verdict.features, Double.NaN);
        verdict.previousTransactionId = null;

        // A repeat is decided once: it changes nothing, not even what counts as newest.
        state.ids.forget(newest - RecentIds.MEMORY_MS);
        verdict.duplicateOfOffset = state.ids.offsetOf(event.transactionHash);
        verdict.isDuplicate = verdict.duplicateOfOffset >= 0;
        verdict.isLate = event.time < state.newest;
        if (verdict.isDuplicate) {
            return before;
        }

        state.newest = newest;
        state.ids.add(event.transactionHash, newest, event.offset);
        long horizon = newest - plan.horizonMs;
        state.log.forget(horizon);
        int position = append(event);
        scan.run(state.log, position, verdict.features);
        state.log.forget(horizon);
        travel(event, verdict);
        firstSeen(event, verdict);
        return state.write();
    }

    private int append(Event event) {
        EventLog log = state.log;
        int position = log.positionAfter(event.time);
        log.insert(position, event.time, event.amountMinor, (int) event.flags);
        for (int c = 0; c < loggedCategories.length; c++) {
            log.hashes[c][position] = shortHash(event.hashes[loggedCategories[c]]);
        }
        return position;
    }

    private void travel(Event event, Verdict verdict) {
        boolean isPlace =
                event.hasPlace
                        && (plan.placeFilter < 0 || (event.flags >>> plan.placeFilter & 1) != 0);
        if (!isPlace) {
            return;
        }
        LastPlace last = state.place;
        if (last.isBefore(event.time)) {
            double km = last.kmTo(event.latitude, event.longitude);
            List<Plan.Feature> features = plan.features;
            for (int i = 0; i < features.size(); i++) {
                switch (features.get(i).aggregate()) {
                    case TRAVEL_KM -> verdict.features[i] = km;
                    case TRAVEL_GAP_MIN -> verdict.features[i] = last.gapMinutes(event.time);
                    case TRAVEL_KMH -> verdict.features[i] = last.kmh(km, event.time);
                    default -> { }
                }
            }
            verdict.previousTransactionId = last.transactionId;
        }
        if (!last.isKnown || last.time <= event.time) {
            last.moveTo(event.time, event.latitude, event.longitude, event.transactionId);
        }
    }

    private void firstSeen(Event event, Verdict verdict) {
        for (int s = 0; s < seenCategories.length; s++) {
            int category = seenCategories[s];
            int hash = shortHash(event.hashes[category]);
            if (hash == 0) {
                continue;
            }
            boolean isNew = state.seen[s].add(hash, event.time, state.newest);
            for (int i = 0; i < plan.features.size(); i++) {
                Plan.Feature feature = plan.features.get(i);
                if (feature.aggregate() == Plan.Aggregate.FIRST_SEEN
                        && feature.category() == category) {
                    verdict.features[i] = isNew ? 1 : 0;
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
