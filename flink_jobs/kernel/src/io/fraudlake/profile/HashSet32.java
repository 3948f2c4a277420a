package io.fraudlake.profile;

import java.util.Arrays;

/** A set of hashes, none of them 0, that is cheap to empty. */
final class HashSet32 {

    private int[] slots = new int[64];
    private int count;

    void clear() {
        if (count > 0) {
            Arrays.fill(slots, 0);
            count = 0;
        }
    }

    /** True when the hash was not in the set. */
    boolean add(int hash) {
        if (count * 2 >= slots.length) {
            grow();
        }
        boolean isNew = place(slots, hash);
        count += isNew ? 1 : 0;
        return isNew;
    }

    private void grow() {
        int[] bigger = new int[slots.length * 2];
        for (int hash : slots) {
            if (hash != 0) {
                place(bigger, hash);
            }
        }
        slots = bigger;
    }

    private static boolean place(int[] slots, int hash) {
        int mask = slots.length - 1;
        int i = hash & mask;
        while (slots[i] != 0) {
            if (slots[i] == hash) {
                return false;
            }
            i = i + 1 & mask;
        }
        slots[i] = hash;
        return true;
    }
}
