package io.fraudlake.reporter;

import java.util.Properties;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;

/** Makes the reporter of {@code metrics.reporter.<name>.factory.class}; option {@code port}. */
public final class LoopbackReporterFactory implements MetricReporterFactory {

    @Override
    public MetricReporter createMetricReporter(Properties options) {
        return new LoopbackReporter(Integer.parseInt(options.getProperty("port")));
    }
}
