package io.fraudlake.profile;

/** What is kept of one key, in the parts that {@link io.fraudlake.KeyState} names. */
public interface KeyMemory {

    /** Null: there is no such part. */
    byte[] get(Integer part);

    /** Null lets go of the part. */
    void put(Integer part, byte[] bytes);
}
