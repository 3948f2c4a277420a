package io.fraudlake.format;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Reads records in base64, one a line ({@code -} is a tombstone), and answers with the fault's code,
 * or with {@code ok}, the event time and the amount in minor units of the base currency.
 */
public final class DecoderHarness {

    public static void main(String[] arguments) throws Exception {
        Contract contract = Contract.named("transaction");
        Money money = new Money(arguments[0]);
        RecordReader reader = new RecordReader(contract, money);
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Fault fault = reader.read(line.equals("-") ? null : Base64.getDecoder().decode(line));
            if (fault != null) {
                out.println(fault.code() + "\t" + fault.detail().replace('\t', ' '));
                continue;
            }
            long minor =
                    money.toBaseMinor(
                            reader.amountText,
                            (Double) reader.values[contract.indexOf("amount")],
                            (String) reader.values[contract.indexOf("currency")]);
            out.println("ok\t" + reader.values[contract.indexOf("event_time")] + "\t" + minor);
        }
    }
}
