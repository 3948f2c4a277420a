package io.fraudlake.decision;

import java.util.Arrays;

/**
 * A rule that fired: what it held against what, and the sentence, texts in UTF-8. NaN stands for no
 * number.
 */
record Reason(byte[] id, double weight, double observed, double limit, byte[] because) {

    boolean isOfRule(byte[] rule) {
        return Arrays.equals(id, rule);
    }
}
