package io.fraudlake.reporter;

import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.exporter.HTTPServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.apache.flink.metrics.prometheus.AbstractPrometheusReporter;

/**
 * Flink's Prometheus reporter, on the loopback: the one that comes with Flink listens on every
 * address of the machine, and has no option for it.
 */
final class LoopbackReporter extends AbstractPrometheusReporter {

    private final HTTPServer server;

    LoopbackReporter(int port) {
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        try {
            server = new HTTPServer(address, collectors(), true);
        } catch (IOException error) {
            throw new UncheckedIOException("metrics: cannot listen on port " + port, error);
        }
    }

    @Override
    public void close() {
        server.stop();
        super.close();
    }

    /** What the base class collects into; it shows it to its own package alone. */
    private CollectorRegistry collectors() {
        try {
            Field registry = AbstractPrometheusReporter.class.getDeclaredField("registry");
            registry.setAccessible(true);
            return (CollectorRegistry) registry.get(this);
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException("not the Flink that was tested (2.3)", error);
        }
    }
}
