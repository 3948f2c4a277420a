package io.fraudlake.event;

import org.apache.flink.table.functions.ScalarFunction;

/** {@code f_is_duplicate(event)}: whether the card has decided the same transaction before. */
public final class EventIsDuplicate extends ScalarFunction {

    private static final long serialVersionUID = 1L;

    public boolean eval(byte[] event) {
        return EventBytes.isDuplicate(event);
    }
}
