import io.fraudlake.Hash64;
import io.fraudlake.KeyState;
import io.fraudlake.profile.KeyMemory;
import io.fraudlake.profile.ProfileKernel;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * Drives the kernel from lines on standard input, one answer for each event, without Flink.
 *
 * <p>{@code plan JSON} begins a plan over the same cards; {@code fresh} forgets all cards; {@code
 * let-go KEY} does what the timer of an idle key does; {@code size KEY} asks for the bytes of a key;
 * {@code event} is followed by tab-separated key, id, time, amount, flags, latitude, longitude, offset and
 * the categories' values. Empty stands for nothing.
 */
public final class KernelHarness {

    private static final int CATEGORIES = 9;

    public static void main(String[] arguments) throws Exception {
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Map<String, Memory> states = new HashMap<>();
        ProfileKernel kernel = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t", -1);
            switch (words[0]) {
                case "plan" -> kernel = new ProfileKernel(words[1]);
                case "fresh" -> states.clear();
                case "let-go" -> ProfileKernel.letGo(states.get(words[1]));
                case "size" -> out.println(states.get(words[1]).size());
                case "event" -> out.println(process(kernel, states, words));
                default -> throw new IllegalArgumentException("unknown line: " + line);
            }
        }
    }

    /** Like the heap backend while a snapshot runs: the kernel gets copies. */
    private static final class Memory implements KeyMemory {

        private final Map<Integer, byte[]> parts = new HashMap<>();

        @Override
        public byte[] get(Integer part) {
            byte[] bytes = parts.get(part);
            return bytes == null ? null : bytes.clone();
        }

        @Override
        public void put(Integer part, byte[] bytes) {
            if (bytes == null) {
                parts.remove(part);
            } else {
                parts.put(part, bytes.clone());
            }
        }

        private int size() {
            return parts.values().stream().mapToInt(bytes -> bytes.length).sum();
        }
    }

    private static String process(ProfileKernel kernel, Map<String, Memory> states, String[] words) {
        ProfileKernel.Event event = new ProfileKernel.Event();
        event.transactionId = words[2].getBytes(StandardCharsets.UTF_8);
        event.transactionHash = Hash64.of(event.transactionId);
        event.time = Long.parseLong(words[3]);
        event.amountMinor = Long.parseLong(words[4]);
        event.flags = Long.parseLong(words[5]);
        event.hasPlace = !words[6].isEmpty() && !words[7].isEmpty();
        event.latitude = event.hasPlace ? Double.parseDouble(words[6]) : 0;
        event.longitude = event.hasPlace ? Double.parseDouble(words[7]) : 0;
        event.offset = Long.parseLong(words[8]);
        event.hashes = new long[words.length - CATEGORIES];
        for (int i = 0; i < event.hashes.length; i++) {
            String value = words[CATEGORIES + i];
            event.hashes[i] = value.isEmpty() ? 0 : Hash64.of(value);
        }
        ProfileKernel.Verdict verdict = new ProfileKernel.Verdict();
        verdict.features = new double[kernel.featureCount()];
        Memory memory = states.computeIfAbsent(words[1], key -> new Memory());
        byte[] kept = kernel.process(memory, event, verdict);
        int number = kernel.isNumbering() ? kernel.nextNumber() : 0;
        memory.put(KeyState.WHOLE, kept);
        StringBuilder answer = new StringBuilder();
        answer.append(verdict.isLate ? 1 : 0).append('\t').append(verdict.isDuplicate ? 1 : 0);
        answer.append('\t').append(verdict.duplicateOfOffset).append('\t');
        if (verdict.previousTransactionId != null) {
            answer.append(new String(verdict.previousTransactionId, StandardCharsets.UTF_8));
        }
        answer.append('\t').append(number);
        for (double feature : verdict.features) {
            answer.append('\t').append(Double.isNaN(feature) ? "" : Double.toString(feature));
        }
        return answer.toString();
    }
}
