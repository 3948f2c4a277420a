package io.fraudlake.profile;

/**
 * The value at a rank, and the median, of an array whose order does not matter: Hoare's selection
 * (1961), a fraction of the work of sorting.
 */
final class Selection {

    private Selection() {}

    /**
     * The {@code rank}-th smallest, counted from 0, of the first {@code count} values. They change
     * places: none before the rank is greater, none behind it is smaller.
     */
    static long at(long[] values, int count, int rank) {
        int low = 0;
        int high = count - 1;
        while (low < high) {
            long pivot = middle(values[low], values[(low + high) >>> 1], values[high]);
            int left = low;
            int right = high;
            while (left <= right) {
                while (values[left] < pivot) {
                    left++;
                }
                while (values[right] > pivot) {
                    right--;
                }
                if (left <= right) {
                    long swapped = values[left];
                    values[left++] = values[right];
                    values[right--] = swapped;
                }
            }
            if (rank <= right) {
                high = right;
            } else if (rank >= left) {
                low = left;
            } else {
                break;
            }
        }
        return values[rank];
    }

    /** Twice the median: the two values in the middle, or the one twice. */
    static long twiceMedian(long[] values, int count) {
        int middle = (count - 1) / 2;
        long lower = at(values, count, middle);
        if (count % 2 == 1) {
            return 2 * lower;
        }
        long upper = values[middle + 1];
        for (int i = middle + 2; i < count; i++) {
            upper = Math.min(upper, values[i]);
        }
        return lower + upper;
    }

    private static long middle(long a, long b, long c) {
        return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    }
}
