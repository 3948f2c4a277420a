-- Decisions stored since a moment: how many, and those whose transaction stands in the table more than once, whenever.
WITH recent AS (
    SELECT source_topic, source_partition, source_offset
    FROM lake.decisions
    WHERE kafka_time >= $since
),
-- Small is joined to whole: DuckDB reads on only where the offsets of the recent ones lie.
doubled AS (
    SELECT any_value(whole.decision_id) AS decision_id
    FROM lake.decisions AS whole
    SEMI JOIN recent USING (source_topic, source_partition, source_offset)
    GROUP BY whole.source_topic, whole.source_partition, whole.source_offset
    HAVING count(*) > 1
)
SELECT
    (SELECT count(*) FROM recent) AS decisions,
    (SELECT count(*) FROM doubled) AS doubled,
    (SELECT list(decision_id ORDER BY decision_id)[:20] FROM doubled) AS examples;
