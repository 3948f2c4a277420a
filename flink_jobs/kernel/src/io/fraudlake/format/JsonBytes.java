package io.fraudlake.format;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.io.NumberOutput;

/** A growing buffer of JSON text in UTF-8; the caller sees to commas and brackets. */
final class JsonBytes {

    private static final byte[] NULL = "null".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private byte[] buffer = new byte[2048];
    private int length;

    void reset() {
        length = 0;
    }

    byte[] toByteArray() {
        return Arrays.copyOf(buffer, length);
    }

    JsonBytes raw(char ascii) {
        reserve(1);
        buffer[length++] = (byte) ascii;
        return this;
    }

    JsonBytes raw(byte[] bytes) {
        reserve(bytes.length);
        System.arraycopy(bytes, 0, buffer, length, bytes.length);
        length += bytes.length;
        return this;
    }

    JsonBytes nothing() {
        return raw(NULL);
    }

    JsonBytes number(long value) {
        reserve(20);
        length = NumberOutput.outputLong(value, buffer, length);
        return this;
    }

    /** The shortest text that reads back as the same double; a whole number has no fraction. */
    JsonBytes number(double value) {
        if (value == Math.rint(value) && Math.abs(value) < 1e15) {
            return number((long) value);
        }
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return nothing();
        }
        return ascii(NumberOutput.toString(value, true));
    }

    /** Two decimals; for money, whose doubles stand for whole cents. */
    JsonBytes money(double value) {
        double cents = Math.rint(value * 100);
        if (!(Math.abs(cents) < 1e15)) {
            return number(value);
        }
        long whole = Math.abs((long) cents);
        if (cents < 0) {
            raw('-');
        }
        number(whole / 100);
        return raw('.').padded((int) (whole % 100), 2);
    }

    JsonBytes padded(int value, int digits) {
        reserve(digits);
        for (int i = digits - 1; i >= 0; i--) {
            buffer[length + i] = (byte) ('0' + value % 10);
            value /= 10;
        }
        length += digits;
        return this;
    }

    /** Takes back the closing bracket, so that members can be added. */
    JsonBytes unclose() {
        length--;
        return this;
    }

    JsonBytes bool(boolean value) {
        return ascii(value ? "true" : "false");
    }

    /** A JSON string of text that is valid UTF-8 already. */
    JsonBytes text(byte[] utf8) {
        reserve(utf8.length * 6 + 2);
        buffer[length++] = '"';
        for (byte b : utf8) {
            if (b == '"' || b == '\\') {
                buffer[length++] = '\\';
                buffer[length++] = b;
            } else if (b >= 0 && b < 0x20) {
                buffer[length++] = '\\';
                buffer[length++] = 'u';
                buffer[length++] = '0';
                buffer[length++] = '0';
                buffer[length++] = HEX[b >> 4];
                buffer[length++] = HEX[b & 15];
            } else {
                buffer[length++] = b;
            }
        }
        buffer[length++] = '"';
        return this;
    }

    private JsonBytes ascii(String text) {
        int count = text.length();
        reserve(count);
        text.getBytes(0, count, buffer, length);
        length += count;
        return this;
    }

    private void reserve(int count) {
        if (buffer.length - length < count) {
            buffer = Arrays.copyOf(buffer, Math.max(buffer.length * 2, length + count));
        }
    }
}
