package io.fraudlake.profile;

import io.fraudlake.KeyState;
import io.fraudlake.event.EventRow;
import java.util.EnumSet;
import java.util.Optional;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * The profile of each card, merchant, device ...: {@code f_profile(r => TABLE events PARTITION BY
 * card_id, plan => '...', on_time => DESCRIPTOR(event_time), uid => 'card-profile')}.
 *
 * <p>Takes and gives {@link EventRow}s, with the stage's features filled in. The card's own stage
 * also fills in what the card's history says of the transaction itself; stages behind it pass
 * repeats through untouched. It gives one row for each, at once, in the order of arrival.
 */
public final class Profile extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;

    static final EnumSet<StaticArgumentTrait> BY_KEY =
            EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE, StaticArgumentTrait.REQUIRE_ON_TIME);

    private transient ProfileStep step;

    @Override
    public TypeInference getTypeInference(DataTypeFactory factory) {
        return TypeInference.newBuilder()
                .staticArguments(StaticArgument.table("r", EventRow.type(), false, BY_KEY), plan())
                .stateTypeStrategies(KeyState.declare())
                .outputTypeStrategy(call -> output(call, 1))
                .build();
    }

    static StaticArgument plan() {
        return StaticArgument.scalar("plan", DataTypes.STRING().bridgedTo(StringData.class), false);
    }

    /** A faulty plan, the argument at {@code position}, fails while the statement is planned. */
    static Optional<DataType> output(CallContext call, int position) {
        return call.getArgumentValue(position, String.class)
                .map(Plan::parse)
                .map(plan -> EventRow.keyIndex(plan.key))
                .or(() -> Optional.of(EventRow.CARD_ID))
                .map(EventRow::typeWithout);
    }

    public void eval(Context context, MapView<Integer, byte[]> state, RowData r, StringData plan)
            throws Exception {
        if (step == null) {
            step = new ProfileStep(plan.toString());
        }
        collect(step.take(context, state, r));
    }

    public void onTimer(OnTimerContext context, MapView<Integer, byte[]> state) throws Exception {
        ProfileStep.onTimer(context, state);
    }
}
