package io.fraudlake.event;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.ScalarFunction;

/** {@code f_text(event, i)}: a text of the transaction that rules ask for, counted from 0. */
public final class EventText extends ScalarFunction {

    private static final long serialVersionUID = 1L;

    @DataTypeHint(value = "STRING", bridgedTo = StringData.class)
    public StringData eval(byte[] event, int i) {
        byte[] text = EventBytes.text(event, i);
        return text == null ? null : StringData.fromBytes(text);
    }
}
