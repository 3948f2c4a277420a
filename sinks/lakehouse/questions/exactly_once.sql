-- Is every record of Kafka in each table once? Twice must be 0 everywhere.
-- A topic that is deleted and made again counts from 0 again, so what a record is counts, too.
SELECT
    'decisions' AS table_name,
    count(*) AS records,
    count(*) - count(DISTINCT (
        kafka_topic, kafka_partition, kafka_offset, kafka_time,
        source_topic, source_partition, source_offset, transaction_id, event_time
    )) AS twice,
    count(*) - count(DISTINCT (
        source_topic, source_partition, source_offset, transaction_id, event_time
    )) AS decided_twice
FROM lake.decisions
UNION ALL
SELECT
    'labels',
    count(*),
    count(*) - count(DISTINCT (
        kafka_topic, kafka_partition, kafka_offset, kafka_time, transaction_id, label_time
    )),
    NULL
FROM lake.labels
UNION ALL
SELECT
    'dead_letters',
    count(*),
    count(*) - count(DISTINCT (
        kafka_topic, kafka_partition, kafka_offset, kafka_time,
        source_topic, source_partition, source_offset, failed_at
    )),
    NULL
FROM lake.dead_letters;
