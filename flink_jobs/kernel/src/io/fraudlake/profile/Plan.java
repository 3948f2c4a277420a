package io.fraudlake.profile;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.ValidationException;

/** What one stage computes, as the planner wrote it from {@code pipelines/features.toml}. */
final class Plan {

    private static final int VERSION = 2;

    enum Aggregate {
        COUNT,
        SUM,
        MEAN,
        STDDEV,
        MIN,
        MAX,
        RATE,
        DISTINCT,
        P95,
        ROBUST_Z,
        TIME_OF_DAY_SHARE,
        CATEGORY_MEAN,
        FIRST_SEEN,
        TRAVEL_KM,
        TRAVEL_GAP_MIN,
        TRAVEL_KMH,
        TRAVEL_FROM_LATITUDE,
        TRAVEL_FROM_LONGITUDE,
        SINCE_LAST_MIN,
        FRAUD_SHARE,
        FRAUD_COUNT;

        boolean isWindowed() {
            return compareTo(CATEGORY_MEAN) <= 0;
        }

        /** Kept up to date with each event, instead of worked out from the events of the window. */
        boolean isRunning() {
            return compareTo(DISTINCT) <= 0;
        }

        boolean isScanned() {
            return isWindowed() && !isRunning();
        }

        /** Of whole days, by what transactions turned out to be. */
        boolean isOfLabels() {
            return this == FRAUD_SHARE || this == FRAUD_COUNT;
        }

        /** Looks at the values of one category, which are kept with the events. */
        boolean readsValues() {
            return this == DISTINCT || this == CATEGORY_MEAN;
        }
    }

    /** Filter and category are positions, -1 where the feature has none; windows are in ms. */
    record Feature(
            String name,
            Aggregate aggregate,
            long windowMs,
            int filter,
            int category,
            boolean excludesCurrent,
            long delayMs,
            double prior,
            double priorWeight) {

        /** How far back it looks. */
        long reachMs() {
            return delayMs + windowMs;
        }
    }

    /** A filter or category: its name, and where its value stands in the event row. */
    record Input(String name, int position) {}

    /** The column that the stage is keyed by. */
    final String key;

    /** True for the card's own stage, which finds repeats and late ones and knows the places. */
    final boolean isCard;

    /** True when stages behind mix the order of cards, so that each card's rows are numbered. */
    final boolean isNumbering;

    /** Where the stage's features stand among those of all stages. */
    final int firstFeature;

    /** A key that was idle for longer is forgotten, in event time. */
    final long forgetAfterMs;

    final long horizonMs;
    final int placeFilter;
    final List<Input> filters;
    final List<Input> categories;
    final List<Feature> features;
    private final int fingerprint;

    private Plan(JsonNode json) {
        if (json.path("version").asInt() != VERSION) {
            throw new ValidationException(
                    "feature plan version must be " + VERSION + ", not " + json.path("version"));
        }
        key = json.required("key").asText();
        isCard = "card".equals(json.required("entity").asText());
        isNumbering = json.required("numbering").asBoolean();
        firstFeature = json.required("first_feature").asInt();
        forgetAfterMs = json.required("forget_after_ms").asLong();
        horizonMs = json.required("horizon_ms").asLong();
        placeFilter = json.required("place_filter").asInt();
        filters = inputs(json.required("filters"));
        categories = inputs(json.required("categories"));
        if (filters.size() > EventLog.MAX_FILTERS) {
            throw new ValidationException(
                    "a stage can have " + EventLog.MAX_FILTERS + " filters, not " + filters.size());
        }
        features = new ArrayList<>();
        json.required("features").forEach(node -> features.add(feature(node)));
        fingerprint =
                List.of(horizonMs, filterNames(), allCategoryNames(), features)
                        .toString()
                        .hashCode();
    }

    private static List<Input> inputs(JsonNode array) {
        List<Input> inputs = new ArrayList<>();
        array.forEach(
                node ->
                        inputs.add(
                                new Input(
                                        node.required("name").asText(),
                                        node.required("position").asInt())));
        return inputs;
    }

    /** Throws ValidationException, with a sentence, for a plan this kernel cannot compute. */
    static Plan parse(String json) {
        try {
            return new Plan(new ObjectMapper().readTree(json));
        } catch (JsonProcessingException error) {
            throw new ValidationException("the feature plan is not JSON: " + error.getMessage());
        } catch (IllegalArgumentException error) {
            throw new ValidationException("the feature plan: " + error.getMessage());
        }
    }

    private Feature feature(JsonNode node) {
        String name = node.required("name").asText();
        Feature feature =
                new Feature(
                        name,
                        aggregate(name, node.required("aggregate").asText()),
                        node.required("window_ms").asLong(),
                        node.required("filter").asInt(),
                        node.required("category").asInt(),
                        node.required("exclude_current").asBoolean(),
                        node.path("delay_ms").asLong(),
                        node.path("prior").asDouble(),
                        node.path("prior_weight").asDouble());
        if (feature.aggregate().isWindowed() && !(feature.windowMs() > 0)) {
            throw new ValidationException("feature '" + name + "' needs a window above 0 ms");
        }
        boolean needsCategory =
                feature.aggregate().readsValues()
                        || feature.aggregate() == Aggregate.FIRST_SEEN;
        if (needsCategory && (feature.category() < 0 || feature.category() >= categories.size())) {
            throw new ValidationException("feature '" + name + "' names no category of the plan");
        }
        return feature;
    }

    private static Aggregate aggregate(String feature, String name) {
        for (Aggregate known : Aggregate.values()) {
            if (known.name().equalsIgnoreCase(name)) {
                return known;
            }
        }
        throw new ValidationException(
                "feature '" + feature + "': unknown aggregate '" + name + "'; known: "
                        + List.of(Aggregate.values()));
    }

    /** The windows that are kept up to date, shortest first. */
    long[] windows() {
        TreeSet<Long> windows = new TreeSet<>();
        features.stream().filter(f -> f.aggregate().isRunning()).forEach(f -> windows.add(f.windowMs()));
        return windows.stream().mapToLong(Long::longValue).toArray();
    }

    /** Differs between plans whose windows hold different aggregates. */
    int windowsFingerprint() {
        List<Feature> windowed = features.stream().filter(f -> f.aggregate().isRunning()).toList();
        return List.of(windowed, filterNames(), allCategoryNames()).toString().hashCode();
    }

    /** Differs between plans whose profiles are laid out, or aggregated, differently. */
    int fingerprint() {
        return fingerprint;
    }

    private List<String> allCategoryNames() {
        return categories.stream().map(Input::name).toList();
    }

    List<String> filterNames() {
        return filters.stream().map(Input::name).toList();
    }

    List<String> categoryNamesOf(Predicate<Aggregate> kind) {
        return Arrays.stream(categoriesOf(kind)).mapToObj(c -> categories.get(c).name()).toList();
    }

    /** The longest window of features that look at a category: so long its values are kept. */
    long valuesHorizonMs(int category) {
        return features.stream()
                .filter(f -> f.aggregate().readsValues() && f.category() == category)
                .mapToLong(Feature::windowMs)
                .max()
                .orElse(0);
    }

    /** Where the features of some kinds stand. */
    int[] positionsOf(Predicate<Aggregate> kind) {
        return IntStream.range(0, features.size())
                .filter(i -> kind.test(features.get(i).aggregate()))
                .toArray();
    }

    /** Categories that features of some kinds look at, in ascending order. */
    int[] categoriesOf(Predicate<Aggregate> kind) {
        return features.stream()
                .filter(f -> kind.test(f.aggregate()))
                .mapToInt(Feature::category)
                .distinct()
                .sorted()
                .toArray();
    }
}
