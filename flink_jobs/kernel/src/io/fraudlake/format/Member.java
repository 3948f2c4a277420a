package io.fraudlake.format;

import java.nio.charset.StandardCharsets;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;

/** One named column of a row and how it is written. */
final class Member {

    private final byte[] prefix;
    private final int index;
    private final ValueWriter writer;
    private final RowData.FieldGetter getter;

    Member(String name, int index, ValueWriter writer, LogicalType type) {
        this.prefix = ('"' + name + "\":").getBytes(StandardCharsets.UTF_8);
        this.index = index;
        this.writer = writer;
        this.getter = RowData.createFieldGetter(type, index);
    }

    int index() {
        return index;
    }

    ValueWriter writer() {
        return writer;
    }

    Object value(RowData row) {
        return getter.getFieldOrNull(row);
    }

    void write(JsonBytes out, RowData row) {
        out.raw(prefix);
        Object value = value(row);
        if (value == null) {
            out.nothing();
        } else {
            writer.write(out, value);
        }
    }
}
