-- The alerts as the lakehouse knows them, worked out from the decisions alone. `cases` (what people
-- did) and `arrivals` (when documents were written) are tables that the test has filled.
CREATE TEMP TABLE alerts AS
WITH flagged AS (
    SELECT * FROM decisions WHERE alert_id IS NOT NULL
),
sums AS (
    SELECT
        alert_id,
        any_value(card_id) AS card_id,
        arg_min(event_time, source_offset) AS opened_at,
        count(*) AS hits,
        sum(base_amount)::DOUBLE AS money,
        max(score) AS score,
        CASE WHEN bool_or(band = 'block') THEN 'block' ELSE 'review' END AS band,
        list_distinct(flatten(list(rules_fired))) AS rules,
        bool_or(list_contains(rules_fired, 'impossible_travel')) AS has_travelled
    FROM flagged
    GROUP BY alert_id
),
latest AS (
    SELECT alert_id, country, channel, merchant_id, ruleset
    FROM flagged
    QUALIFY row_number() OVER (PARTITION BY alert_id ORDER BY source_offset DESC) = 1
)
SELECT
    sums.*,
    country,
    channel,
    merchant_id,
    split_part(ruleset, '@', 1) AS ruleset,
    split_part(ruleset, '@', 2) AS version,
    coalesce(status, 'open') AS status,
    assignee,
    verdict,
    ingested_at,
    delay_ms,
    partition,
    kafka_offset
FROM sums
JOIN latest USING (alert_id)
JOIN arrivals USING (alert_id)
LEFT JOIN cases USING (alert_id);

-- One row for each rule that fired on an alert.
CREATE TEMP TABLE fires AS
SELECT unnest(rules) AS rule, * FROM alerts;
