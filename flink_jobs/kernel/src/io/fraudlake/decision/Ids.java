package io.fraudlake.decision;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Ids that are hashes of what they stand for, by the recipe of {@code pipelines/ids.py}. */
final class Ids {

    private static final int ID_BYTES = 16;
    private static final byte LINE_END = '\n';
    private static final byte[] DIGITS = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final MessageDigest digest;

    Ids() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every JVM has SHA-256", error);
        }
    }

    byte[] decision(byte[] topic, int partition, long offset) {
        return hash("decision", topic, (partition + "\n" + offset).getBytes(StandardCharsets.US_ASCII));
    }

    byte[] alert(byte[] cardId, byte[] transactionId) {
        return hash("alert", cardId, transactionId);
    }

    /** Of the three, a line each. */
    private byte[] hash(String kind, byte[] first, byte[] second) {
        digest.update(kind.getBytes(StandardCharsets.US_ASCII));
        digest.update(LINE_END);
        digest.update(first);
        digest.update(LINE_END);
        byte[] hash = digest.digest(second);
        byte[] text = new byte[2 * ID_BYTES];
        for (int i = 0; i < ID_BYTES; i++) {
            text[2 * i] = DIGITS[hash[i] >>> 4 & 15];
            text[2 * i + 1] = DIGITS[hash[i] & 15];
        }
        return text;
    }
}
