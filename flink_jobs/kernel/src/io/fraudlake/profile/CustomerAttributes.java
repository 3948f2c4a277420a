package io.fraudlake.profile;

import io.fraudlake.KeyState;
import io.fraudlake.event.EventBytes;
import io.fraudlake.event.EventRow;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * What is known of each customer, put beside each of their transactions as features.
 *
 * <p>Two inputs, both by customer: a profile is remembered as a version, a transaction gets what is
 * known of the customer as of its own time ({@link CustomerVersions}). Neither waits for the other,
 * so a quiet customers topic delays nothing, and a change never rewrites the past. A profile without
 * a time (a tombstone) forgets the customer.
 */
public final class CustomerAttributes extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;
    /** Everything numeric is kept, in this order; a new field goes to the end. */
    private static final List<String> STORED =
            List.of("max_speed_kmh", "home_latitude", "home_longitude");

    private static final int UPDATED_AT = 1;
    private static final int ATTRIBUTES = 3;
    private static final DataType CUSTOMER =
            DataTypes.ROW(
                            DataTypes.FIELD("customer_id", DataTypes.STRING()),
                            DataTypes.FIELD("updated_at", DataTypes.TIMESTAMP_LTZ(3)),
                            DataTypes.FIELD("kafka_time", DataTypes.TIMESTAMP_LTZ(3)),
                            DataTypes.FIELD("attributes", DataTypes.ARRAY(DataTypes.DOUBLE())))
                    .bridgedTo(RowData.class);

    private transient int[] wanted;

    @Override
    public TypeInference getTypeInference(DataTypeFactory factory) {
        EnumSet<StaticArgumentTrait> bySet =
                EnumSet.of(
                        StaticArgumentTrait.SET_SEMANTIC_TABLE,
                        StaticArgumentTrait.REQUIRE_ON_TIME);
        return TypeInference.newBuilder()
                .staticArguments(
                        StaticArgument.table("r", EventRow.type(), false, bySet),
                        StaticArgument.table("customers", CUSTOMER, false, bySet),
                        StaticArgument.scalar(
                                "plan", DataTypes.STRING().bridgedTo(StringData.class), false))
                .stateTypeStrategies(KeyState.declare())
                .outputTypeStrategy(
                        call -> {
                            call.getArgumentValue(2, String.class).ifPresent(CustomerAttributes::wanted);
                            return Optional.of(EventRow.typeWithout(EventRow.CUSTOMER_ID));
                        })
                .build();
    }

    public void eval(
            MapView<Integer, byte[]> state, RowData r, RowData customers, StringData plan)
            throws Exception {
        if (wanted == null) {
            open(plan.toString());
        }
        if (customers == null) {
            collect(output(r, state.get(KeyState.WHOLE)));
        } else if (customers.isNullAt(UPDATED_AT)) {
            state.remove(KeyState.WHOLE);
        } else {
            remember(state, customers);
        }
    }

    private void open(String plan) {
        wanted = wanted(plan);
    }

    /** The positions in STORED of the fields that the plan's attributes name, in the plan's order. */
    private static int[] wanted(String plan) {
        try {
            JsonNode attributes = new ObjectMapper().readTree(plan).path("attributes");
            int[] positions = new int[attributes.size()];
            for (int i = 0; i < positions.length; i++) {
                String field = attributes.get(i).path("field").asText();
                positions[i] = STORED.indexOf(field);
                if (positions[i] < 0) {
                    throw new ValidationException(
                            "customer attribute '" + field + "' is unknown; known: " + STORED);
                }
            }
            return positions;
        } catch (JsonProcessingException error) {
            throw new ValidationException("the customer plan is not JSON: " + error.getMessage());
        }
    }

    private static void remember(MapView<Integer, byte[]> state, RowData customer) throws Exception {
        long updatedAt = customer.getTimestamp(UPDATED_AT, 3).getMillisecond();
        ArrayData given = customer.getArray(ATTRIBUTES);
        double[] fields = new double[given.size()];
        for (int i = 0; i < fields.length; i++) {
            fields[i] = given.isNullAt(i) ? Double.NaN : given.getDouble(i);
        }
        byte[] before = state.get(KeyState.WHOLE);
        state.put(KeyState.WHOLE, CustomerVersions.update(before, updatedAt, fields));
    }

    private RowData output(RowData r, byte[] stored) {
        byte[] event = EventRow.event(r);
        if (stored != null) {
            double[] fields = CustomerVersions.asOf(stored, EventBytes.time(event));
            for (int i = 0; i < wanted.length; i++) {
                // Written before the field existed: shorter.
                boolean isKnown = wanted[i] < fields.length;
                EventBytes.setFeature(event, i, isKnown ? fields[wanted[i]] : Double.NaN);
            }
        }
        return EventRow.forward(r, EventRow.CUSTOMER_ID, event);
    }
}
