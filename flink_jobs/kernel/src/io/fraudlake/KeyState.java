package io.fraudlake;

import java.time.Duration;
import java.util.LinkedHashMap;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.types.inference.StateTypeStrategy;
import org.apache.flink.table.types.inference.TypeStrategies;

/**
 * What every stage keeps of a key: bytes of its own layout, under {@link #WHOLE}, and what is not of one
 * piece with them.
 *
 * <p>A time to live of zero leaves
 * Flink's own expiry out of it: that runs on the wall clock, and its wrapper costs more than the
 * stage.
 */
public final class KeyState {

    public static final Integer WHOLE = 0;

    /** Of a card without a profile: the number of its newest row, four bytes, for good. */
    public static final Integer NUMBER = -1;

    /** What a key's transactions turned out to be. */
    public static final Integer FRAUDS = -2;

    /** What a busy key's log had to let go of, summed up; seldom read or written. */
    public static final Integer PANES = -3;

    private KeyState() {}

    /** The declaration of {@code MapView<Integer, byte[]> state}. */
    public static LinkedHashMap<String, StateTypeStrategy> declare() {
        LinkedHashMap<String, StateTypeStrategy> state = new LinkedHashMap<>();
        state.put(
                "state",
                StateTypeStrategy.of(
                        TypeStrategies.explicit(
                                MapView.newMapViewDataType(DataTypes.INT(), DataTypes.BYTES())),
                        Duration.ZERO));
        return state;
    }
}
