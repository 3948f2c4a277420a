package io.fraudlake.decision;

import org.apache.flink.table.data.StringData;

/** What a decision comes to. */
enum Band {
    ALLOW,
    REVIEW,
    BLOCK;

    final StringData text = StringData.fromString(name().toLowerCase(java.util.Locale.ROOT));
}
