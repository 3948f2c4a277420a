package io.fraudlake;

/** 64-bit hashes of ids and categories, never 0: FNV-1a with the finisher of MurmurHash3. */
public final class Hash64 {

    private static final long OFFSET = 0xcbf29ce484222325L;
    private static final long PRIME = 0x100000001b3L;

    private Hash64() {}

    public static long of(byte[] bytes) {
        long h = OFFSET;
        for (byte b : bytes) {
            h = (h ^ b & 0xFF) * PRIME;
        }
        return finish(h);
    }

    /** By characters, not bytes: a different hash than that of the text's bytes. */
    public static long of(String text) {
        long h = OFFSET;
        for (int i = 0; i < text.length(); i++) {
            h = (h ^ text.charAt(i)) * PRIME;
        }
        return finish(h);
    }

    private static long finish(long h) {
        h = (h ^ h >>> 33) * 0xff51afd7ed558ccdL;
        h = (h ^ h >>> 33) * 0xc4ceb9fe1a85ec53L;
        h ^= h >>> 33;
        return h == 0 ? 1 : h;
    }
}
