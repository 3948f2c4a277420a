package io.fraudlake.decision;

import io.fraudlake.StateLayouts;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/**
 * What a card's alert holds so far: the totals, and each rule that fired with its latest reason.
 *
 * <p>Its bytes begin with a version. They grow with the number of different rules alone.
 */
final class OpenAlert {

    private static final String LAYOUT = "alert";
    private static final byte VERSION = StateLayouts.written(LAYOUT);
    /** Alerts of that version have no timer: they stay until the card's next one. */
    private static final byte WITHOUT_END = 1;
    private static final int USUAL_BYTES = 512;

    final byte[] alertId;
    final byte[] openingDecision;
    final byte[] openingTransaction;
    final long openedAt;
    /** Event time at which nothing can join it any longer. */
    final long keptUntil;
    long updatedAt;
    long sequence;
    long amountMinor;
    double score;
    boolean isBlock;
    /** In the order in which the rules fired first. */
    final List<Reason> reasons = new ArrayList<>();

    OpenAlert(
            byte[] alertId,
            byte[] openingDecision,
            byte[] openingTransaction,
            long openedAt,
            long keptUntil) {
        this.alertId = alertId;
        this.openingDecision = openingDecision;
        this.openingTransaction = openingTransaction;
        this.openedAt = openedAt;
        this.keptUntil = keptUntil;
        this.updatedAt = openedAt;
    }

    /** Whether it holds its opening decision alone. */
    boolean isNew() {
        return sequence == 1;
    }

    /** The latest reason of a rule takes the place of the one before. */
    void add(Reason reason) {
        for (int i = 0; i < reasons.size(); i++) {
            if (reasons.get(i).isOfRule(reason.id())) {
                reasons.set(i, reason);
                return;
            }
        }
        reasons.add(reason);
    }

    byte[] toBytes() {
        DataOutputSerializer out = new DataOutputSerializer(USUAL_BYTES);
        try {
            out.writeByte(VERSION);
            writeText(out, alertId);
            writeText(out, openingDecision);
            writeText(out, openingTransaction);
            out.writeLong(openedAt);
            out.writeLong(keptUntil);
            out.writeLong(updatedAt);
            out.writeLong(sequence);
            out.writeLong(amountMinor);
            out.writeDouble(score);
            out.writeBoolean(isBlock);
            out.writeInt(reasons.size());
            for (Reason reason : reasons) {
                writeText(out, reason.id());
                out.writeDouble(reason.weight());
                out.writeDouble(reason.observed());
                out.writeDouble(reason.limit());
                writeText(out, reason.because());
            }
        } catch (IOException error) {
            throw new IllegalStateException("an array of bytes takes every byte", error);
        }
        return out.getCopyOfBuffer();
    }

    static OpenAlert fromBytes(byte[] bytes) {
        if (bytes[0] != VERSION) {
            StateLayouts.check(LAYOUT, bytes[0]);
        }
        DataInputDeserializer in = new DataInputDeserializer(bytes, 1, bytes.length - 1);
        try {
            OpenAlert alert =
                    new OpenAlert(
                            readText(in),
                            readText(in),
                            readText(in),
                            in.readLong(),
                            bytes[0] == WITHOUT_END ? Long.MAX_VALUE : in.readLong());
            alert.updatedAt = in.readLong();
            alert.sequence = in.readLong();
            alert.amountMinor = in.readLong();
            alert.score = in.readDouble();
            alert.isBlock = in.readBoolean();
            for (int left = in.readInt(); left > 0; left--) {
                alert.reasons.add(
                        new Reason(
                                readText(in),
                                in.readDouble(),
                                in.readDouble(),
                                in.readDouble(),
                                readText(in)));
            }
            return alert;
        } catch (IOException error) {
            throw new IllegalStateException("alert state that ends too early", error);
        }
    }

    private static void writeText(DataOutputSerializer out, byte[] text) throws IOException {
        out.writeInt(text.length);
        out.write(text);
    }

    private static byte[] readText(DataInputDeserializer in) throws IOException {
        byte[] text = new byte[in.readInt()];
        in.readFully(text);
        return text;
    }
}
