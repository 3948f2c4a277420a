package io.fraudlake.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;

/**
 * Reads one record once, as a stream, and checks it against its contract.
 *
 * <p>After {@link #read} returned null, {@link #values} holds, by the contract's field index, text
 * as String, times as Long, numbers as Double, and null where the record has nothing. An amount
 * also leaves its exact text in {@link #amountText}. Not thread-safe; one reader for each task.
 */
final class RecordReader {

    private static final String GOOD_TEXT =
            "text without control characters or half a surrogate pair";

    private static final JsonFactory JSON =
            JsonFactory.builder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build();

    final Object[] values;
    String amountText;

    private final Contract contract;
    private final Money money;
    private final Fault[] faults;
    private boolean hasFaults;

    RecordReader(Contract contract, Money money) {
        this.contract = contract;
        this.money = money;
        this.values = new Object[contract.fields.size()];
        this.faults = new Fault[contract.fields.size()];
    }

    /** Null when the record keeps its contract, else the first fault in the contract's order. */
    Fault read(byte[] json) {
        Arrays.fill(values, null);
        if (json == null || json.length == 0) {
            return new Fault(Fault.EMPTY, "the record has no value");
        }
        if (!isPlainUtf8(json)) {
            return new Fault(Fault.NOT_JSON, "the value is not JSON text in UTF-8");
        }
        if (hasFaults) {
            Arrays.fill(faults, null);
            hasFaults = false;
        }
        try (JsonParser parser = JSON.createParser(json)) {
            JsonToken first = parser.nextToken();
            if (first == null) {
                return new Fault(Fault.NOT_JSON, "the value holds white space only");
            }
            if (first != JsonToken.START_OBJECT) {
                parser.skipChildren();
                return parser.nextToken() == null
                        ? new Fault(Fault.NOT_AN_OBJECT, "the value must be a JSON object")
                        : trailing();
            }
            readFields(parser);
            if (parser.nextToken() != null) {
                return trailing();
            }
        } catch (IOException error) {
            return new Fault(Fault.NOT_JSON, "the value is not one JSON object: " + reason(error));
        }
        return firstFault();
    }

    private static Fault trailing() {
        return new Fault(Fault.NOT_JSON, "the value holds more than one JSON value");
    }

    private static String reason(IOException error) {
        String message = String.valueOf(error.getMessage());
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }

    private void readFields(JsonParser parser) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            int index = contract.indexOf(parser.currentName());
            JsonToken token = parser.nextToken();
            if (index < 0) {
                parser.skipChildren();
            } else {
                readField(parser, token, index);
            }
        }
    }

    /** A name that comes twice counts with its last value, as in most JSON readers. */
    private void readField(JsonParser parser, JsonToken token, int index) throws IOException {
        Field field = contract.fields.get(index);
        values[index] = null;
        Fault fault = null;
        if (token == JsonToken.VALUE_NULL) {
            fault = null;
        } else if (field.isNumeric()) {
            fault = token.isNumeric() ? readNumber(parser, field, index) : wrongType(field, token);
        } else {
            fault = token == JsonToken.VALUE_STRING
                    ? readText(parser.getText(), field, index)
                    : wrongType(field, token);
        }
        parser.skipChildren();
        if (fault != null || hasFaults) {
            faults[index] = fault;
            hasFaults |= fault != null;
        }
    }

    private static Fault wrongType(Field field, JsonToken token) {
        String found =
                switch (token) {
                    case START_OBJECT -> "an object";
                    case START_ARRAY -> "an array";
                    case VALUE_TRUE, VALUE_FALSE -> "true or false";
                    case VALUE_STRING -> "text";
                    default -> "a number";
                };
        return Fault.wrongType(field, found);
    }

    private Fault readNumber(JsonParser parser, Field field, int index) throws IOException {
        double value = parser.getDoubleValue();
        if (!(value >= field.min() && value <= field.max())) {
            return Fault.of(Fault.OUT_OF_RANGE, field, limits(field));
        }
        if (field.kind() == Field.Kind.AMOUNT) {
            amountText = parser.getText();
        }
        values[index] = value;
        return null;
    }

    private static String limits(Field field) {
        return field.min() == Double.MIN_VALUE
                ? "above 0 and at most " + field.max()
                : "from " + field.min() + " to " + field.max();
    }

    private Fault readText(String text, Field field, int index) {
        Object value = text;
        switch (field.kind()) {
            case ID -> {
                if (text.isEmpty() || isTooLong(text)) {
                    return Fault.of(Fault.BAD_FORMAT, field, "1 to 256 characters");
                }
                if (hasBadCharacter(text)) {
                    return Fault.of(Fault.BAD_FORMAT, field, GOOD_TEXT);
                }
            }
            case TEXT -> {
                if (isTooLong(text)) {
                    return Fault.of(Fault.BAD_FORMAT, field, "at most 256 characters");
                }
                if (hasBadCharacter(text)) {
                    return Fault.of(Fault.BAD_FORMAT, field, GOOD_TEXT);
                }
            }
            case TIME -> {
                long millis = Times.parse(text);
                if (millis == Times.INVALID) {
                    return Fault.of(Fault.BAD_TIME, field, "a time like 2026-11-23T01:02:03.456Z");
                }
                value = millis;
            }
            case CATEGORY -> {
                if (!consistsOf(text, 4, '0', '9')) {
                    return Fault.of(Fault.BAD_FORMAT, field, "four digits");
                }
            }
            case COUNTRY -> {
                if (!consistsOf(text, 2, 'A', 'Z')) {
                    return Fault.of(Fault.BAD_FORMAT, field, "two capital letters");
                }
            }
            case CURRENCY -> {
                if (!consistsOf(text, 3, 'A', 'Z')) {
                    return Fault.of(Fault.BAD_FORMAT, field, "three capital letters");
                }
                if (!money.knows(text)) {
                    return Fault.of(Fault.UNKNOWN_CURRENCY, field, "one with an exchange rate");
                }
            }
            case CHOICE -> {
                if (!field.allowed().contains(text)) {
                    return Fault.of(Fault.UNKNOWN_VALUE, field, "one of " + field.allowed());
                }
            }
            default -> throw new IllegalStateException(field.name() + " is not text");
        }
        values[index] = value;
        return null;
    }

    /**
     * JSON can escape one half of a surrogate pair, which as UTF-8 would turn into a question mark,
     * and control characters, which nobody sees: one that looks like another's id, or like none.
     */
    private static boolean hasBadCharacter(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isISOControl(c)) {
                return true;
            }
            if (Character.isSurrogate(c)) {
                boolean isPair =
                        i + 1 < text.length() && Character.isSurrogatePair(c, text.charAt(i + 1));
                if (!isPair) {
                    return true;
                }
                i++;
            }
        }
        return false;
    }

    private static boolean isTooLong(String text) {
        return text.length() > Field.MAX_TEXT
                && text.codePointCount(0, text.length()) > Field.MAX_TEXT;
    }

    private static boolean consistsOf(String text, int length, char from, char to) {
        if (text.length() != length) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (text.charAt(i) < from || text.charAt(i) > to) {
                return false;
            }
        }
        return true;
    }

    private Fault firstFault() {
        for (int i = 0; i < values.length; i++) {
            if (hasFaults && faults[i] != null) {
                return faults[i];
            }
            Field field = contract.fields.get(i);
            if (field.required() && values[i] == null) {
                return Fault.missing(field);
            }
        }
        return null;
    }

    /**
     * Jackson guesses UTF-16 and UTF-32 and skims text it need not decode; the bytes go into the
     * decision as they are, so they must be valid UTF-8, all of them, without a byte-order mark.
     */
    private static boolean isPlainUtf8(byte[] bytes) {
        boolean isAscii = true;
        for (byte b : bytes) {
            if (b < 0) {
                isAscii = false;
            } else if (b < 0x20 && b != '\n' && b != '\r' && b != '\t') {
                return false;
            }
        }
        if (isAscii) {
            return true;
        }
        boolean hasMark = bytes.length >= 3 && bytes[0] == (byte) 0xEF && bytes[1] == (byte) 0xBB
                && bytes[2] == (byte) 0xBF;
        if (hasMark) {
            return false;
        }
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            return true;
        } catch (CharacterCodingException error) {
            return false;
        }
    }
}
