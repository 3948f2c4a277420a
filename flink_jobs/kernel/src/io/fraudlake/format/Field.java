package io.fraudlake.format;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** One field of a contract: its name, whether a record must have it, and what it may hold. */
record Field(String name, boolean required, Kind kind, Set<String> allowed, double min, double max) {

    enum Kind {
        /** Text of 1 to 256 characters. */
        ID,
        /** Text of at most 256 characters. */
        TEXT,
        /** RFC 3339 in UTC. */
        TIME,
        /** Four digits. */
        CATEGORY,
        /** Three capital letters with a known exchange rate. */
        CURRENCY,
        /** Two capital letters. */
        COUNTRY,
        /** One of a closed set. */
        CHOICE,
        /** A number within its limits; the money of a transaction. */
        AMOUNT,
        /** A number within its limits. */
        NUMBER
    }

    static final int MAX_TEXT = 256;

    static Field required(String name, Kind kind) {
        return new Field(name, true, kind, Set.of(), 0, 0);
    }

    static Field optional(String name, Kind kind) {
        return new Field(name, false, kind, Set.of(), 0, 0);
    }

    static Field choice(String name, boolean required, String... allowed) {
        // In the order given: a sentence that lists them is then the same in every JVM.
        return new Field(name, required, Kind.CHOICE, new LinkedHashSet<>(List.of(allowed)), 0, 0);
    }

    static Field number(String name, double min, double max) {
        return new Field(name, false, Kind.NUMBER, Set.of(), min, max);
    }

    boolean isNumeric() {
        return kind == Kind.AMOUNT || kind == Kind.NUMBER;
    }
}
