package io.fraudlake.event;

import org.apache.flink.table.functions.ScalarFunction;

/** {@code f_number(event, i)}: a number of the transaction that rules ask for, counted from 0. */
public final class EventNumber extends ScalarFunction {

    private static final long serialVersionUID = 1L;

    public Double eval(byte[] event, int i) {
        double value = EventBytes.number(event, i);
        return Double.isNaN(value) ? null : value;
    }
}
