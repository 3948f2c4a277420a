-- Decisions stored since a moment: how many, and those whose transaction stands there more than once.
WITH recent AS (
    SELECT source_topic, source_partition, source_offset, decision_id
    FROM lake.decisions
    WHERE kafka_time >= $since
),
doubled AS (
    SELECT any_value(decision_id) AS decision_id
    FROM recent
    GROUP BY source_topic, source_partition, source_offset
    HAVING count(*) > 1
)
SELECT
    (SELECT count(*) FROM recent) AS decisions,
    (SELECT count(*) FROM doubled) AS doubled,
    (SELECT list(decision_id ORDER BY decision_id)[:20] FROM doubled) AS examples;
