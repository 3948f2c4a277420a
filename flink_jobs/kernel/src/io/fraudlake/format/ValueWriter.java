package io.fraudlake.format;

/** Writes one value that is not null. */
@FunctionalInterface
interface ValueWriter {
    void write(JsonBytes out, Object value);
}
