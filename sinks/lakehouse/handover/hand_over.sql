-- The lakehouse sink as a Flink job: three topics into the three tables, from where our sink ended.
--
-- Made by `fraudlake sink hand-over`. The statement stops, rather than leaves something out, at a
-- record that its table cannot hold. A feature that is not listed below is not stored: make this
-- anew when you deploy a rule set that has one.
SET 'execution.runtime-mode' = 'streaming';
SET 'execution.checkpointing.interval' = '60 s';
SET 'table.local-time-zone' = 'UTC';
SET 'pipeline.name' = 'fraudlake-lakehouse';

CREATE CATALOG fraudlake WITH (
$catalog
);

CREATE TEMPORARY TABLE decisions_topic (
    `value` STRING,
    `kafka_topic` STRING METADATA FROM 'topic' VIRTUAL,
    `kafka_partition` INT METADATA FROM 'partition' VIRTUAL,
    `kafka_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
    `kafka_time` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL
) WITH (
$decisions_topic
    'format' = 'raw'
);

CREATE TEMPORARY TABLE labels_topic (
    `value` STRING,
    `kafka_topic` STRING METADATA FROM 'topic' VIRTUAL,
    `kafka_partition` INT METADATA FROM 'partition' VIRTUAL,
    `kafka_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
    `kafka_time` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL
) WITH (
$labels_topic
    'format' = 'raw'
);

CREATE TEMPORARY TABLE dead_letters_topic (
    `stage` STRING,
    `reason` STRING,
    `detail` STRING,
    `original` BYTES,
    `topic` STRING,
    `partition` INT,
    `offset` BIGINT,
    `failed_at` STRING,
    `kafka_topic` STRING METADATA FROM 'topic' VIRTUAL,
    `kafka_partition` INT METADATA FROM 'partition' VIRTUAL,
    `kafka_offset` BIGINT METADATA FROM 'offset' VIRTUAL,
    `kafka_time` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL
) WITH (
$dead_letters_topic
    'format' = 'json'
);

EXECUTE STATEMENT SET BEGIN

INSERT INTO `fraudlake`.`$namespace`.`decisions` ($decisions_columns)
SELECT
    JSON_VALUE(`value`, '$$.decision_id'),
    JSON_VALUE(`value`, '$$.transaction.transaction_id'),
    TIME_OF(JSON_VALUE(`value`, '$$.transaction.event_time')),
    JSON_VALUE(`value`, '$$.transaction.card_id'),
    JSON_VALUE(`value`, '$$.transaction.customer_id'),
    JSON_VALUE(`value`, '$$.transaction.merchant_id'),
    JSON_VALUE(`value`, '$$.transaction.merchant_category'),
    CAST(JSON_VALUE(`value`, '$$.transaction.amount') AS DECIMAL(18, 4)),
    JSON_VALUE(`value`, '$$.transaction.currency'),
    CAST(JSON_VALUE(`value`, '$$.base_amount') AS DECIMAL(18, 2)),
    JSON_VALUE(`value`, '$$.base_currency'),
    JSON_VALUE(`value`, '$$.transaction.channel'),
    JSON_VALUE(`value`, '$$.transaction.entry_mode'),
    JSON_VALUE(`value`, '$$.transaction.kind'),
    JSON_VALUE(`value`, '$$.transaction.status'),
    JSON_VALUE(`value`, '$$.transaction.decline_reason'),
    JSON_VALUE(`value`, '$$.transaction.country'),
    CAST(JSON_VALUE(`value`, '$$.transaction.latitude') AS DOUBLE),
    CAST(JSON_VALUE(`value`, '$$.transaction.longitude') AS DOUBLE),
    JSON_VALUE(`value`, '$$.transaction.device_id'),
    JSON_VALUE(`value`, '$$.transaction.ip_address'),
    JSON_VALUE(`value`, '$$.transaction.ip_country'),
    JSON_VALUE(`value`, '$$.transaction.billing_country'),
    JSON_VALUE(`value`, '$$.transaction.shipping_country'),
    CAST(JSON_VALUE(`value`, '$$.transaction.billing_latitude') AS DOUBLE),
    CAST(JSON_VALUE(`value`, '$$.transaction.billing_longitude') AS DOUBLE),
    CAST(JSON_VALUE(`value`, '$$.transaction.shipping_latitude') AS DOUBLE),
    CAST(JSON_VALUE(`value`, '$$.transaction.shipping_longitude') AS DOUBLE),
    -- The original text, byte for byte, is cut out of the record.
    REGEXP_EXTRACT(`value`, '(?s)^[{]"decision_id":"[0-9a-f]{32}","transaction":([{].*[}]),"base_amount":', 1),
    CAST(JSON_VALUE(`value`, '$$.score') AS DOUBLE),
    JSON_VALUE(`value`, '$$.band'),
    JSON_QUERY(`value`, '$$.rules_fired' RETURNING ARRAY<STRING>),
    JSON_VALUE(`value`, '$$.ruleset'),
    JSON_VALUE(`value`, '$$.model'),
    CAST(JSON_VALUE(`value`, '$$.is_late') AS BOOLEAN),
    CAST(JSON_VALUE(`value`, '$$.is_duplicate') AS BOOLEAN),
    CAST(JSON_VALUE(`value`, '$$.duplicate_of_offset') AS BIGINT),
    JSON_VALUE(`value`, '$$.previous_transaction_id'),
    TIME_OF(JSON_VALUE(`value`, '$$.decided_at')),
    JSON_VALUE(`value`, '$$.alert_id'),
    JSON_VALUE(`value`, '$$.source.topic'),
    CAST(JSON_VALUE(`value`, '$$.source.partition') AS INT),
    CAST(JSON_VALUE(`value`, '$$.source.offset') AS BIGINT),
    `kafka_topic`,
    `kafka_partition`,
    `kafka_offset`,
    CAST(`kafka_time` AS TIMESTAMP_LTZ(6))$features
FROM decisions_topic;

INSERT INTO `fraudlake`.`$namespace`.`labels` ($labels_columns)
SELECT
    JSON_VALUE(`value`, '$$.transaction_id'),
    JSON_VALUE(`value`, '$$.card_id'),
    JSON_VALUE(`value`, '$$.merchant_id'),
    TIME_OF(JSON_VALUE(`value`, '$$.event_time')),
    JSON_VALUE(`value`, '$$.label'),
    JSON_VALUE(`value`, '$$.source'),
    JSON_VALUE(`value`, '$$.reason'),
    JSON_VALUE(`value`, '$$.device_id'),
    TIME_OF(JSON_VALUE(`value`, '$$.label_time')),
    `value`,
    `kafka_topic`,
    `kafka_partition`,
    `kafka_offset`,
    CAST(`kafka_time` AS TIMESTAMP_LTZ(6))
FROM labels_topic;

INSERT INTO `fraudlake`.`$namespace`.`dead_letters` ($dead_letters_columns)
SELECT
    `stage`,
    `reason`,
    `detail`,
    `original`,
    `topic`,
    `partition`,
    `offset`,
    TIME_OF(`failed_at`),
    `kafka_topic`,
    `kafka_partition`,
    `kafka_offset`,
    CAST(`kafka_time` AS TIMESTAMP_LTZ(6))
FROM dead_letters_topic;

END;
