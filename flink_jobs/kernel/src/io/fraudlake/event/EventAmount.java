package io.fraudlake.event;

import org.apache.flink.table.functions.ScalarFunction;

/** {@code f_base_amount(event)}: in the base currency, major units. */
public final class EventAmount extends ScalarFunction {

    private static final long serialVersionUID = 1L;

    public double eval(byte[] event) {
        return EventBytes.amountMinor(event) / 100.0;
    }
}
