package io.fraudlake;

import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;

/**
 * The versions of what stages keep of a key, from {@code state-layouts.properties}: the first byte of
 * each layout. {@code fraudlake job deploy} compares that file of two kernels before it stops a job.
 */
public final class StateLayouts {

    private static final Map<String, Byte[]> VERSIONS = read();

    private StateLayouts() {}

    /** The version in which {@code layout} is written. */
    public static byte written(String layout) {
        return VERSIONS.get(layout)[0];
    }

    /** IllegalStateException, with a sentence, where this kernel cannot read {@code found}. */
    public static void check(String layout, byte found) {
        for (byte known : VERSIONS.get(layout)) {
            if (known == found) {
                return;
            }
        }
        throw new IllegalStateException(
                layout + " state of version " + found + "; this kernel reads "
                        + Stream.of(VERSIONS.get(layout)).map(String::valueOf).toList()
                        + ". Deploy the release that wrote it, or start without its savepoint");
    }

    private static Map<String, Byte[]> read() {
        Properties lines = new Properties();
        try (InputStream file =
                StateLayouts.class.getResourceAsStream("state-layouts.properties")) {
            lines.load(file);
        } catch (IOException error) {
            throw new IllegalStateException("the kernel's jar lacks its state layouts", error);
        }
        Map<String, Byte[]> versions = new HashMap<>();
        for (String layout : lines.stringPropertyNames()) {
            String[] words = lines.getProperty(layout).trim().split(" ");
            versions.put(layout, Stream.of(words).map(Byte::valueOf).toArray(Byte[]::new));
        }
        return versions;
    }
}
