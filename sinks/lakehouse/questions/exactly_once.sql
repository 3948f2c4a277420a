-- Is every record of Kafka in each table once? Twice must be 0 everywhere.
SELECT 'decisions' AS table_name, count(*) AS records,
    count(*) - count(DISTINCT (kafka_partition, kafka_offset)) AS twice,
    count(*) - count(DISTINCT (source_topic, source_partition, source_offset)) AS decided_twice
FROM lake.decisions
UNION ALL
SELECT 'labels', count(*), count(*) - count(DISTINCT (kafka_partition, kafka_offset)), NULL
FROM lake.labels
UNION ALL
SELECT 'dead_letters', count(*), count(*) - count(DISTINCT (kafka_partition, kafka_offset)), NULL
FROM lake.dead_letters;
