package io.fraudlake.decision;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a card's alert holds so far: the totals, and each rule that fired with its latest reason.
 *
 * <p>Its bytes begin with a version. They grow with the number of different rules alone.
 */
final class OpenAlert {

    private static final byte VERSION = 1;

    final String alertId;
    final String openingDecision;
    final String openingTransaction;
    final long openedAt;
    long updatedAt;
    long sequence;
    long amountMinor;
    double score;
    boolean isBlock;
    final Map<String, Reason> reasons = new LinkedHashMap<>();

    OpenAlert(String alertId, String openingDecision, String openingTransaction, long openedAt) {
        this.alertId = alertId;
        this.openingDecision = openingDecision;
        this.openingTransaction = openingTransaction;
        this.openedAt = openedAt;
        this.updatedAt = openedAt;
    }

    byte[] toBytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(VERSION);
            writeText(out, alertId);
            writeText(out, openingDecision);
            writeText(out, openingTransaction);
            out.writeLong(openedAt);
            out.writeLong(updatedAt);
            out.writeLong(sequence);
            out.writeLong(amountMinor);
            out.writeDouble(score);
            out.writeBoolean(isBlock);
            out.writeInt(reasons.size());
            for (Reason reason : reasons.values()) {
                writeText(out, reason.id());
                out.writeDouble(reason.weight());
                out.writeDouble(reason.observed());
                out.writeDouble(reason.limit());
                writeText(out, reason.because());
            }
        } catch (IOException error) {
            throw new IllegalStateException("an array of bytes takes every byte", error);
        }
        return bytes.toByteArray();
    }

    static OpenAlert fromBytes(byte[] bytes) {
        if (bytes[0] != VERSION) {
            throw new IllegalStateException(
                    "alert state of version " + bytes[0] + "; this kernel reads " + VERSION
                            + ". Deploy the release that wrote it, or start without its savepoint");
        }
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            in.readByte();
            OpenAlert alert = new OpenAlert(readText(in), readText(in), readText(in), in.readLong());
            alert.updatedAt = in.readLong();
            alert.sequence = in.readLong();
            alert.amountMinor = in.readLong();
            alert.score = in.readDouble();
            alert.isBlock = in.readBoolean();
            for (int left = in.readInt(); left > 0; left--) {
                Reason reason =
                        new Reason(
                                readText(in),
                                in.readDouble(),
                                in.readDouble(),
                                in.readDouble(),
                                readText(in));
                alert.reasons.put(reason.id(), reason);
            }
            return alert;
        } catch (IOException error) {
            throw new IllegalStateException("alert state that ends too early", error);
        }
    }

    private static void writeText(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static String readText(DataInputStream in) throws IOException {
        return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
    }
}
