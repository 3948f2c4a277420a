package io.fraudlake.event;

import org.apache.flink.table.functions.ScalarFunction;

/** {@code f_feature(event, i)}: a feature of the packed event, counted from 0. */
public final class EventFeature extends ScalarFunction {

    private static final long serialVersionUID = 1L;

    public Double eval(byte[] event, int i) {
        double value = EventBytes.feature(event, i);
        return Double.isNaN(value) ? null : value;
    }
}
