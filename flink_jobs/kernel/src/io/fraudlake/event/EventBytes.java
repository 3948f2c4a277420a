package io.fraudlake.event;

import java.util.Arrays;

/**
 * All that is known of one transaction on its way through the stages, in one byte array.
 *
 * <p>The features have their places from the beginning, NaN for none; a stage writes its own. What
 * the card's history says of the transaction itself comes with the card's stage.
 *
 * <pre>
 *  0 event time   8 amount, minor units   16 filter bits   24 latitude   32 longitude (NaN: none)
 * 40 source offset   48 source partition   52 number of the card's row   56 offset of the first
 * 64 is late   65 is duplicate   66 - 69 how many hashes, numbers, features, texts
 * 72 where the previous transaction's id begins (0: none)
 * 76 hashes, numbers, features; then with their lengths: the id, texts, the original bytes
 * </pre>
 */
public final class EventBytes {

    private static final int TIME = 0;
    private static final int AMOUNT = 8;
    private static final int FLAGS = 16;
    private static final int LATITUDE = 24;
    private static final int LONGITUDE = 32;
    private static final int OFFSET = 40;
    private static final int PARTITION = 48;
    private static final int NUMBER = 52;
    private static final int FIRST_OFFSET = 56;
    private static final int IS_LATE = 64;
    private static final int IS_DUPLICATE = 65;
    private static final int HASHES = 66;
    private static final int NUMBERS = 67;
    private static final int FEATURES = 68;
    private static final int TEXTS = 69;
    private static final int PREVIOUS = 72;
    private static final int BODY = 76;
    private static final int LENGTH = 4;
    private static final int NOTHING = -1;

    private EventBytes() {}

    /** A new event; values that are missing are NaN, 0 (hashes) or null (texts). */
    static byte[] create(
            long[] hashes, double[] numbers, int features, byte[] id, byte[][] texts, byte[] raw) {
        int size = BODY + 8 * (hashes.length + numbers.length + features);
        size += LENGTH + id.length + LENGTH + raw.length;
        for (byte[] text : texts) {
            size += LENGTH + (text == null ? 0 : text.length);
        }
        byte[] event = new byte[size];
        event[HASHES] = (byte) hashes.length;
        event[NUMBERS] = (byte) numbers.length;
        event[FEATURES] = (byte) features;
        event[TEXTS] = (byte) texts.length;
        int at = BODY;
        for (long hash : hashes) {
            Bytes.putLong(event, at, hash);
            at += 8;
        }
        for (double number : numbers) {
            Bytes.putDouble(event, at, number);
            at += 8;
        }
        for (int i = 0; i < features; i++) {
            Bytes.putDouble(event, at, Double.NaN);
            at += 8;
        }
        at = putText(event, at, id);
        for (byte[] text : texts) {
            at = putText(event, at, text);
        }
        putText(event, at, raw);
        return event;
    }

    static void putHead(byte[] event, long time, long amount, long flags, int part, long offset) {
        Bytes.putLong(event, TIME, time);
        Bytes.putLong(event, AMOUNT, amount);
        Bytes.putLong(event, FLAGS, flags);
        Bytes.putInt(event, PARTITION, part);
        Bytes.putLong(event, OFFSET, offset);
    }

    /** NaN for an unknown place. */
    static void putPlace(byte[] event, double latitude, double longitude) {
        Bytes.putDouble(event, LATITUDE, latitude);
        Bytes.putDouble(event, LONGITUDE, longitude);
    }

    private static int putText(byte[] event, int at, byte[] text) {
        Bytes.putInt(event, at, text == null ? NOTHING : text.length);
        if (text == null) {
            return at + LENGTH;
        }
        System.arraycopy(text, 0, event, at + LENGTH, text.length);
        return at + LENGTH + text.length;
    }

    public static long time(byte[] event) {
        return Bytes.getLong(event, TIME);
    }

    public static long amountMinor(byte[] event) {
        return Bytes.getLong(event, AMOUNT);
    }

    public static long flags(byte[] event) {
        return Bytes.getLong(event, FLAGS);
    }

    public static double latitude(byte[] event) {
        return Bytes.getDouble(event, LATITUDE);
    }

    public static double longitude(byte[] event) {
        return Bytes.getDouble(event, LONGITUDE);
    }

    public static long offset(byte[] event) {
        return Bytes.getLong(event, OFFSET);
    }

    public static int partition(byte[] event) {
        return Bytes.getInt(event, PARTITION);
    }

    public static int hashCount(byte[] event) {
        return event[HASHES] & 0xFF;
    }

    /** 0: the transaction has no such value. */
    public static long hash(byte[] event, int i) {
        return Bytes.getLong(event, BODY + 8 * i);
    }

    /** NaN: NULL. */
    public static double number(byte[] event, int i) {
        return Bytes.getDouble(event, BODY + 8 * (hashCount(event) + i));
    }

    public static int featureCount(byte[] event) {
        return event[FEATURES] & 0xFF;
    }

    /** NaN: NULL. */
    public static double feature(byte[] event, int i) {
        return Bytes.getDouble(event, features(event) + 8 * i);
    }

    public static void setFeature(byte[] event, int i, double value) {
        Bytes.putDouble(event, features(event) + 8 * i, value);
    }

    private static int features(byte[] event) {
        return BODY + 8 * (hashCount(event) + (event[NUMBERS] & 0xFF));
    }

    public static byte[] transactionId(byte[] event) {
        return textAt(event, ids(event));
    }

    /** Null: the transaction has no such text. */
    public static byte[] text(byte[] event, int i) {
        int at = behind(event, ids(event));
        for (int left = i; left > 0; left--) {
            at = behind(event, at);
        }
        return textAt(event, at);
    }

    /** The record as it came. */
    public static byte[] raw(byte[] event) {
        return text(event, event[TEXTS] & 0xFF);
    }

    private static int ids(byte[] event) {
        return features(event) + 8 * featureCount(event);
    }

    private static int behind(byte[] event, int at) {
        return at + LENGTH + Math.max(0, Bytes.getInt(event, at));
    }

    private static byte[] textAt(byte[] event, int at) {
        int length = Bytes.getInt(event, at);
        return length < 0 ? null : Arrays.copyOfRange(event, at + LENGTH, at + LENGTH + length);
    }

    public static int number(byte[] event) {
        return Bytes.getInt(event, NUMBER);
    }

    public static void setNumber(byte[] event, int number) {
        Bytes.putInt(event, NUMBER, number);
    }

    public static boolean isLate(byte[] event) {
        return event[IS_LATE] != 0;
    }

    public static void setLate(byte[] event, boolean isLate) {
        event[IS_LATE] = (byte) (isLate ? 1 : 0);
    }

    public static boolean isDuplicate(byte[] event) {
        return event[IS_DUPLICATE] != 0;
    }

    /** The offset of the record that the event repeats. */
    public static long firstOffset(byte[] event) {
        return Bytes.getLong(event, FIRST_OFFSET);
    }

    /** A repeat is not judged: all its features are NULL, those of earlier stages, too. */
    public static void setDuplicate(byte[] event, long firstOffset) {
        event[IS_DUPLICATE] = 1;
        Bytes.putLong(event, FIRST_OFFSET, firstOffset);
        for (int i = featureCount(event) - 1; i >= 0; i--) {
            setFeature(event, i, Double.NaN);
        }
    }

    /** Null: the card did not travel to this transaction. */
    public static byte[] previousId(byte[] event) {
        int at = Bytes.getInt(event, PREVIOUS);
        return at == 0 ? null : textAt(event, at);
    }

    /** The event with the id of the transaction that the card travelled from: a longer array. */
    public static byte[] withPreviousId(byte[] event, byte[] id) {
        byte[] longer = Arrays.copyOf(event, event.length + LENGTH + id.length);
        Bytes.putInt(longer, PREVIOUS, event.length);
        putText(longer, event.length, id);
        return longer;
    }
}
