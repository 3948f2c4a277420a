package io.fraudlake.format;

import static io.fraudlake.format.Field.choice;
import static io.fraudlake.format.Field.number;
import static io.fraudlake.format.Field.optional;
import static io.fraudlake.format.Field.required;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.table.api.ValidationException;

/**
 * The fields of each record kind the job reads, in the order of {@code pipelines/contracts/*.json}.
 *
 * <p>The order decides which of several faults is reported: required fields first, then the rest.
 */
final class Contract {

    private static final double SMALLEST_SPEED = Double.MIN_VALUE;

    private static final Contract TRANSACTION =
            new Contract(
                    List.of(
                            required("transaction_id", Field.Kind.ID),
                            required("event_time", Field.Kind.TIME),
                            required("card_id", Field.Kind.ID),
                            required("customer_id", Field.Kind.ID),
                            required("merchant_id", Field.Kind.ID),
                            required("merchant_category", Field.Kind.CATEGORY),
                            new Field("amount", true, Field.Kind.AMOUNT, Set.of(), 0, 1e11),
                            required("currency", Field.Kind.CURRENCY),
                            choice("channel", true, "pos", "ecom", "atm"),
                            choice("entry_mode", false, "chip", "contactless", "magstripe", "manual"),
                            choice("kind", false, "purchase", "refund", "withdrawal"),
                            choice("status", false, "approved", "declined"),
                            optional("decline_reason", Field.Kind.TEXT),
                            optional("country", Field.Kind.COUNTRY),
                            number("latitude", -90, 90),
                            number("longitude", -180, 180),
                            optional("device_id", Field.Kind.TEXT),
                            optional("ip_address", Field.Kind.TEXT),
                            optional("ip_country", Field.Kind.COUNTRY),
                            optional("billing_country", Field.Kind.COUNTRY),
                            optional("shipping_country", Field.Kind.COUNTRY),
                            number("billing_latitude", -90, 90),
                            number("billing_longitude", -180, 180),
                            number("shipping_latitude", -90, 90),
                            number("shipping_longitude", -180, 180)));

    private static final Contract CUSTOMER =
            new Contract(
                    List.of(
                            required("customer_id", Field.Kind.ID),
                            required("updated_at", Field.Kind.TIME),
                            number("max_speed_kmh", SMALLEST_SPEED, 100_000),
                            number("home_latitude", -90, 90),
                            number("home_longitude", -180, 180),
                            optional("home_country", Field.Kind.COUNTRY),
                            optional("name", Field.Kind.TEXT)));

    private static final Contract LABEL =
            new Contract(
                    List.of(
                            required("transaction_id", Field.Kind.ID),
                            required("card_id", Field.Kind.ID),
                            required("merchant_id", Field.Kind.ID),
                            required("event_time", Field.Kind.TIME),
                            choice("label", true, "fraud", "genuine"),
                            choice("source", true, "chargeback", "investigator"),
                            required("label_time", Field.Kind.TIME),
                            optional("reason", Field.Kind.TEXT),
                            optional("device_id", Field.Kind.TEXT)));

    private static final Map<String, Contract> BY_NAME =
            Map.of("transaction", TRANSACTION, "customer", CUSTOMER, "label", LABEL);

    final List<Field> fields;
    private final Map<String, Integer> index = new HashMap<>();

    private Contract(List<Field> fields) {
        this.fields = fields;
        for (int i = 0; i < fields.size(); i++) {
            index.put(fields.get(i).name(), i);
        }
    }

    static Contract named(String name) {
        Contract contract = BY_NAME.get(name);
        if (contract == null) {
            throw new ValidationException(
                    "contract '" + name + "' is unknown; known: " + BY_NAME.keySet());
        }
        return contract;
    }

    /** The position of a field, or -1 where the contract does not know the name. */
    int indexOf(String name) {
        Integer found = index.get(name);
        return found == null ? -1 : found;
    }
}
