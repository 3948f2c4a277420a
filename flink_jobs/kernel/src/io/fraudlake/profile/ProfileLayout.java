package io.fraudlake.profile;

import java.util.List;

/**
 * What the records of a profile hold, by the hashes of the names the plan uses.
 *
 * <p>Names, not positions, say what a filter bit or a category is, so that a profile written under
 * one plan can be read under another.
 */
record ProfileLayout(int fingerprint, int[] filters, int[] logged, int[] seen) {

    static ProfileLayout of(Plan plan) {
        return new ProfileLayout(
                plan.fingerprint(),
                hashes(plan.filterNames()),
                hashes(plan.categoryNamesOf(Plan.Aggregate::readsValues)),
                hashes(plan.categoryNamesOf(Plan.Aggregate.FIRST_SEEN::equals)));
    }

    private static int[] hashes(List<String> names) {
        return names.stream().mapToInt(String::hashCode).toArray();
    }

    int nameCount() {
        return filters.length + logged.length + seen.length;
    }

    int flagBytes() {
        return filters.length > Byte.SIZE ? 2 : 1;
    }

    static int indexOf(int[] names, int name) {
        for (int i = 0; i < names.length; i++) {
            if (names[i] == name) {
                return i;
            }
        }
        return -1;
    }
}
