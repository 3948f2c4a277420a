package io.fraudlake.decision;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Drives alert grouping for one card from lines on standard input, without Flink.
 *
 * <p>{@code fresh CARD WINDOW} begins a card; any other line is tab-separated transaction, time,
 * amount, score, block (1) and then id and sentence of each rule. The state goes through its bytes
 * between two lines, as it does in the job.
 */
public final class AlertHarness {

    private static final int REASONS = 5;

    public static void main(String[] arguments) throws Exception {
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        AlertKernel kernel = null;
        byte[] card = null;
        byte[] state = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t", -1);
            if (words[0].equals("fresh")) {
                card = bytes(words[1]);
                kernel = new AlertKernel(Long.parseLong(words[2]));
                state = null;
                continue;
            }
            OpenAlert open = state == null ? null : OpenAlert.fromBytes(state);
            OpenAlert alert = kernel.take(card, open, flagged(words));
            state = kernel.isToKeep(alert, open) ? alert.toBytes() : state;
            out.println(answer(alert));
        }
    }

    private static AlertKernel.Flagged flagged(String[] words) {
        List<Reason> reasons = new ArrayList<>();
        for (int i = REASONS; i < words.length; i += 2) {
            reasons.add(new Reason(bytes(words[i]), 1, Double.NaN, 0.5, bytes(words[i + 1])));
        }
        return new AlertKernel.Flagged(
                bytes("decision of " + words[0]),
                bytes(words[0]),
                Long.parseLong(words[1]),
                Long.parseLong(words[2]),
                Double.parseDouble(words[3]),
                words[4].equals("1"),
                reasons);
    }

    private static String answer(OpenAlert alert) {
        StringBuilder line = new StringBuilder(text(alert.alertId));
        line.append('\t').append(alert.sequence);
        line.append('\t').append(text(alert.openingTransaction));
        line.append('\t').append(alert.openedAt).append('\t').append(alert.updatedAt);
        line.append('\t').append(alert.amountMinor).append('\t').append(alert.score);
        line.append('\t').append(alert.isBlock ? 1 : 0);
        for (Reason reason : alert.reasons) {
            line.append('\t').append(text(reason.id()));
            line.append('\t').append(text(reason.because()));
        }
        return line.toString();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
