package io.fraudlake.decision;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Ids that are hashes of what they stand for, by the recipe of {@code pipelines/ids.py}. */
final class Ids {

    private static final int ID_BYTES = 16;
    private static final byte[] DIGITS = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final MessageDigest digest;

    Ids() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every JVM has SHA-256", error);
        }
    }

    String decision(String topic, int partition, long offset) {
        return hash("decision\n" + topic + '\n' + partition + '\n' + offset);
    }

    String alert(String cardId, String transactionId) {
        return hash("alert\n" + cardId + '\n' + transactionId);
    }

    private String hash(String parts) {
        byte[] hash = digest.digest(parts.getBytes(StandardCharsets.UTF_8));
        byte[] text = new byte[2 * ID_BYTES];
        for (int i = 0; i < ID_BYTES; i++) {
            text[2 * i] = DIGITS[hash[i] >>> 4 & 15];
            text[2 * i + 1] = DIGITS[hash[i] & 15];
        }
        return new String(text, StandardCharsets.ISO_8859_1);
    }
}
