package io.fraudlake.format;

import java.util.List;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;

/**
 * What is counted of the records that are read and written; docs/job.md has the names.
 *
 * <p>The counts are those of a running task: they begin at 0 when it starts or restarts.
 */
final class JobMetrics {

    private static final String GROUP = "fraudlake";
    private static final int LATENCIES_KEPT = 1024;

    private JobMetrics() {}

    /** The decoder's side: records of a contract, and those that break it. */
    static final class Read {

        private final Counter records;
        private final LabelledCounter faults;
        private final boolean isTimed;

        Read(MetricGroup task, String contract) {
            MetricGroup group = task.addGroup(GROUP).addGroup("contract", contract);
            records = group.counter("records");
            faults = new LabelledCounter(group, "fault", "faults");
            isTimed = contract.equals("transaction");
        }

        void count(byte[] record, Fault fault) {
            records.inc();
            if (fault != null) {
                faults.inc(StringData.fromString(fault.code()));
            } else if (isTimed) {
                SampledLatency.start(record);
            }
        }
    }

    /** The encoder's side: decisions and alerts; nothing of a table without a band. */
    static final class Written {

        private final int band;
        private final int late;
        private final int repeated;
        private final int rules;
        private final int transaction;
        private final LabelledCounter decisions;
        private final LabelledCounter fired;
        private final Counter lates;
        private final Counter repeats;
        private final Counter alerts;
        private final Histogram latency;

        Written(MetricGroup task, RowType row) {
            List<String> columns = row.getFieldNames();
            band = columns.indexOf("band");
            late = columns.indexOf("is_late");
            repeated = columns.indexOf("is_duplicate");
            rules = columns.indexOf("rules_fired");
            transaction = columns.indexOf("transaction");
            MetricGroup group = task.addGroup(GROUP);
            decisions = new LabelledCounter(group, "band", "decisions");
            fired = new LabelledCounter(group, "rule", "fired");
            boolean isDecision = band >= 0;
            lates = isDecision ? group.counter("late") : null;
            repeats = isDecision ? group.counter("repeats") : null;
            alerts = isDecision ? group.counter("alerts") : null;
            latency =
                    isDecision
                            ? group.histogram(
                                    "decide_latency_ms",
                                    new DescriptiveStatisticsHistogram(LATENCIES_KEPT))
                            : null;
        }

        /** An alert is written beside the decision it repeats, which is counted by itself. */
        void count(RowData row, boolean isAlert) {
            if (isAlert) {
                alerts.inc();
            } else if (band >= 0) {
                countDecision(row);
            }
        }

        private void countDecision(RowData row) {
            decisions.inc(row.getString(band));
            if (row.getBoolean(late)) {
                lates.inc();
            }
            if (row.getBoolean(repeated)) {
                repeats.inc();
            }
            ArrayData ids = row.getArray(rules);
            for (int i = 0; i < ids.size(); i++) {
                if (!ids.isNullAt(i)) {
                    fired.inc(ids.getString(i));
                }
            }
            long milliseconds = SampledLatency.stop(row.getBinary(transaction));
            if (milliseconds != SampledLatency.UNKNOWN) {
                latency.update(milliseconds);
            }
        }
    }
}
