package io.fraudlake.profile;

import io.fraudlake.event.Bytes;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Drives what is kept of one customer from tab-separated lines on standard input, without Flink.
 *
 * <p>{@code forget}; {@code update TIME FIELD ...}; {@code one TIME FIELD ...} puts the state of an
 * older release in place; {@code ask TIME} is answered with the fields, empty for none, or with
 * {@code unknown}; {@code size} with the number of bytes kept.
 */
public final class CustomerHarness {

    private static final int TIME = 1;
    private static final int FIELDS = 2;

    public static void main(String[] arguments) throws Exception {
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        byte[] state = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t", -1);
            switch (words[0]) {
                case "forget" -> state = null;
                case "update" ->
                        state = CustomerVersions.update(state, time(words), fields(words));
                case "one" -> state = layoutOfOne(time(words), fields(words));
                case "ask" -> out.println(answer(state, time(words)));
                case "size" -> out.println(state == null ? 0 : state.length);
                default -> throw new IllegalArgumentException("unknown line: " + line);
            }
        }
    }

    private static long time(String[] words) {
        return Long.parseLong(words[TIME]);
    }

    private static double[] fields(String[] words) {
        return Arrays.stream(words)
                .skip(FIELDS)
                .mapToDouble(word -> word.isEmpty() ? Double.NaN : Double.parseDouble(word))
                .toArray();
    }

    /** As the release before wrote it. */
    private static byte[] layoutOfOne(long updatedAt, double[] fields) {
        byte[] state = new byte[9 + Double.BYTES * fields.length];
        state[0] = 1;
        Bytes.putLong(state, 1, updatedAt);
        for (int i = 0; i < fields.length; i++) {
            Bytes.putDouble(state, 9 + Double.BYTES * i, fields[i]);
        }
        return state;
    }

    private static String answer(byte[] state, long time) {
        if (state == null) {
            return "unknown";
        }
        return Arrays.stream(CustomerVersions.asOf(state, time))
                .mapToObj(value -> Double.isNaN(value) ? "" : Double.toString(value))
                .collect(Collectors.joining("\t"));
    }
}
