package io.fraudlake.format;

import java.util.Arrays;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.table.data.StringData;

/** Counters of one name, one for each value of a label; made when a value is first seen. */
final class LabelledCounter {

    private final MetricGroup group;
    private final String label;
    private final String name;
    private StringData[] values = new StringData[0];
    private Counter[] counters = new Counter[0];

    LabelledCounter(MetricGroup group, String label, String name) {
        this.group = group;
        this.label = label;
        this.name = name;
    }

    /** {@code value}: one of a handful; it may be a view of memory that is used again. */
    void inc(StringData value) {
        for (int i = 0; i < values.length; i++) {
            if (values[i].equals(value)) {
                counters[i].inc();
                return;
            }
        }
        add(value.toString()).inc();
    }

    private Counter add(String value) {
        int last = values.length;
        values = Arrays.copyOf(values, last + 1);
        counters = Arrays.copyOf(counters, last + 1);
        values[last] = StringData.fromString(value);
        counters[last] = group.addGroup(label, value).counter(name);
        return counters[last];
    }
}
