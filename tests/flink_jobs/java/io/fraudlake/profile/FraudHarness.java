package io.fraudlake.profile;

import io.fraudlake.Hash64;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * Drives the fraud history from lines on standard input, without Flink.
 *
 * <p>{@code plan JSON} begins a plan over empty keys. {@code count KEY TIME} answers with the
 * features of a transaction, which counts from then on; {@code learn KEY ID TIME FRAUD LABEL_TIME}
 * is a label, FRAUD 1 or 0.
 */
public final class FraudHarness {

    public static void main(String[] arguments) throws Exception {
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Map<String, byte[]> states = new HashMap<>();
        Plan plan = null;
        FraudHistory history = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t", -1);
            if (words[0].equals("plan")) {
                plan = Plan.parse(words[1]);
                history = new FraudHistory(plan);
                states.clear();
                continue;
            }
            byte[] state = states.get(words[1]);
            if (words[0].equals("count")) {
                long time = Long.parseLong(words[2]);
                double[] values = new double[plan.features.size()];
                history.readOff(values, state, time);
                out.println(joined(values));
                state = history.count(state, time);
            } else {
                long hash = Hash64.of(words[2]);
                boolean isFraud = words[4].equals("1");
                long time = Long.parseLong(words[3]);
                state = history.learn(state, hash, time, isFraud, Long.parseLong(words[5]));
            }
            states.put(words[1], state);
        }
    }

    private static String joined(double[] values) {
        StringBuilder line = new StringBuilder();
        for (double value : values) {
            line.append(line.isEmpty() ? "" : "\t").append(value);
        }
        return line.toString();
    }
}
