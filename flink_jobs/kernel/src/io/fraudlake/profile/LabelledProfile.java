package io.fraudlake.profile;

import io.fraudlake.Hash64;
import io.fraudlake.KeyState;
import io.fraudlake.event.EventRow;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.TypeInference;

/**
 * A {@link Profile} that also learns what the key's transactions turned out to be: {@code
 * f_labelled_profile(r => TABLE ..., labels => TABLE labels_of_merchants PARTITION BY key, ...)}.
 *
 * <p>Neither input waits for the other: a label counts for what is decided after it came. State and
 * uid are those of the profile, which goes on with its memory when labels are asked for.
 */
public final class LabelledProfile extends ProcessTableFunction<RowData> {

    private static final long serialVersionUID = 1L;
    private static final int TRANSACTION_ID = 1;
    private static final int EVENT_TIME = 2;
    private static final int IS_FRAUD = 3;
    private static final int LABEL_TIME = 4;
    private static final DataType LABEL =
            DataTypes.ROW(
                            DataTypes.FIELD("label_key", DataTypes.STRING()),
                            DataTypes.FIELD("transaction_id", DataTypes.STRING()),
                            DataTypes.FIELD("transaction_time", DataTypes.TIMESTAMP_LTZ(3)),
                            DataTypes.FIELD("is_fraud", DataTypes.BOOLEAN()),
                            DataTypes.FIELD("label_time", DataTypes.TIMESTAMP_LTZ(3)),
                            DataTypes.FIELD("kafka_time", DataTypes.TIMESTAMP_LTZ(3)))
                    .bridgedTo(RowData.class);

    private transient ProfileStep step;

    @Override
    public TypeInference getTypeInference(DataTypeFactory factory) {
        return TypeInference.newBuilder()
                .staticArguments(
                        StaticArgument.table("r", EventRow.type(), false, Profile.BY_KEY),
                        StaticArgument.table("labels", LABEL, false, Profile.BY_KEY),
                        Profile.plan())
                .stateTypeStrategies(KeyState.declare())
                .outputTypeStrategy(call -> Profile.output(call, 2))
                .build();
    }

    public void eval(
            Context context,
            MapView<Integer, byte[]> state,
            RowData r,
            RowData labels,
            StringData plan)
            throws Exception {
        if (step == null) {
            step = new ProfileStep(plan.toString());
        }
        if (labels == null) {
            collect(step.take(context, state, r));
        } else {
            learn(context, state, labels);
        }
    }

    public void onTimer(OnTimerContext context, MapView<Integer, byte[]> state) throws Exception {
        ProfileStep.onTimer(context, state);
    }

    private void learn(Context context, MapView<Integer, byte[]> state, RowData label)
            throws Exception {
        step.learn(
                context,
                state,
                Hash64.of(label.getString(TRANSACTION_ID).toBytes()),
                label.getTimestamp(EVENT_TIME, 3).getMillisecond(),
                label.getBoolean(IS_FRAUD),
                label.getTimestamp(LABEL_TIME, 3).getMillisecond());
    }
}
