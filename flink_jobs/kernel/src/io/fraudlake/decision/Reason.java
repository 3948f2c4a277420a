package io.fraudlake.decision;

/** A rule that fired: what it held against what, and the sentence. NaN stands for no number. */
record Reason(String id, double weight, double observed, double limit, String because) {}
