package io.fraudlake.format;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/**
 * A row to JSON: one member for each column, in their order, under the column's name.
 *
 * <p>BYTES are JSON already and are written as they are. {@code features ARRAY<DOUBLE>} becomes an
 * object with the names and kinds that the table's options give. A column {@code alert} that is
 * not null turns the record inside out: its members first, then {@code latest}, which holds the
 * rest of the row, the decision. That decision has been written just before, as a record of its
 * own, and its bytes are taken again.
 */
final class RecordEncoder implements SerializationSchema<RowData> {

    private static final long serialVersionUID = 1L;
    private static final String FEATURES = "features";
    private static final String ALERT = "alert";
    private static final String DECISION_ID = "decision_id";
    private static final byte[] LATEST = ",\"latest\":".getBytes(StandardCharsets.US_ASCII);

    private final RowType rowType;
    private final List<String> features;

    private transient JsonBytes out;
    private transient Member[] members;
    private transient Member alert;
    private transient Member decisionId;
    private transient byte[] lastId;
    private transient byte[] last;
    private transient JobMetrics.Written metrics;

    /** {@code features}: {@code name:kind} in the order of the array. */
    RecordEncoder(RowType rowType, List<String> features) {
        this.rowType = rowType;
        this.features = features;
        bind(rowType, features); // a column that cannot be written fails here, before the job runs
    }

    @Override
    public void open(InitializationContext context) {
        out = new JsonBytes();
        if (metrics == null) { // Kafka's sink opens twice, and Flink ignores a name the second time
            metrics = new JobMetrics.Written(context.getMetricGroup(), rowType);
        }
        Member[] all = bind(rowType, features);
        alert = find(all, ALERT);
        decisionId = find(all, DECISION_ID);
        members = Arrays.stream(all).filter(m -> m != alert).toArray(Member[]::new);
    }

    private Member find(Member[] all, String name) {
        int index = rowType.getFieldNames().indexOf(name);
        return index < 0 ? null : all[index];
    }

    private static Member[] bind(RowType rowType, List<String> features) {
        Member[] bound = new Member[rowType.getFieldCount()];
        for (int i = 0; i < bound.length; i++) {
            RowType.RowField field = rowType.getFields().get(i);
            boolean isFeatures = field.getName().equals(FEATURES);
            ValueWriter writer =
                    isFeatures ? new FeatureWriter(features) : writerOf(field.getType(), features);
            bound[i] = new Member(field.getName(), i, writer, field.getType());
        }
        return bound;
    }

    @Override
    public byte[] serialize(RowData row) {
        boolean isAlert = alert != null && !row.isNullAt(alert.index());
        metrics.count(row, isAlert);
        return isAlert ? alert(row) : decision(row);
    }

    private byte[] decision(RowData row) {
        out.reset();
        writeObject(out, members, row);
        last = out.toByteArray();
        lastId = id(row);
        return last;
    }

    /** Bytes of its own, because Flink may use a row's memory again. */
    private byte[] id(RowData row) {
        Object id = decisionId == null ? null : decisionId.value(row);
        return id == null ? null : ((StringData) id).toBytes();
    }

    private byte[] alert(RowData row) {
        boolean isOfLast = lastId != null && Arrays.equals(lastId, id(row));
        byte[] decision = isOfLast ? last : decision(row);
        out.reset();
        alert.writer().write(out, alert.value(row));
        out.unclose().raw(LATEST).raw(decision).raw('}');
        return out.toByteArray();
    }

    private static void writeObject(JsonBytes out, Member[] members, RowData row) {
        out.raw('{');
        for (int i = 0; i < members.length; i++) {
            if (i > 0) {
                out.raw(',');
            }
            members[i].write(out, row);
        }
        out.raw('}');
    }

    private static ValueWriter writerOf(LogicalType type, List<String> features) {
        return switch (type.getTypeRoot()) {
            case VARCHAR, CHAR ->
                    (out, value) -> out.text(((StringData) value).toBytes());
            case VARBINARY, BINARY -> (out, value) -> out.raw((byte[]) value);
            case BOOLEAN -> (out, value) -> out.bool((Boolean) value);
            case INTEGER, BIGINT -> (out, value) -> out.number(((Number) value).longValue());
            case DOUBLE -> (out, value) -> out.number((double) (Double) value);
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE ->
                    (out, value) -> writeTime(out, (TimestampData) value);
            case ARRAY -> arrayWriter(((ArrayType) type).getElementType(), features);
            case ROW -> {
                Member[] inner = bind((RowType) type, features);
                yield (out, value) -> writeObject(out, inner, (RowData) value);
            }
            default ->
                    throw new ValidationException("a column of type " + type + " cannot be written");
        };
    }

    private static void writeTime(JsonBytes out, TimestampData time) {
        out.raw('"');
        Times.write(out, time.getMillisecond());
        out.raw('"');
    }

    private static ValueWriter arrayWriter(LogicalType type, List<String> features) {
        ValueWriter element = writerOf(type, features);
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(type);
        return (out, value) -> {
            ArrayData array = (ArrayData) value;
            boolean isFirst = true;
            out.raw('[');
            for (int i = 0; i < array.size(); i++) {
                Object item = getter.getElementOrNull(array, i);
                if (item == null) {
                    continue; // lists of what fired: the plan leaves a hole for each that did not
                }
                if (!isFirst) {
                    out.raw(',');
                }
                isFirst = false;
                element.write(out, item);
            }
            out.raw(']');
        };
    }
}
