-- The alerts as the lakehouse knows them, worked out from the decisions alone. The test has filled
-- `cases` (what people did), `arrivals` (when documents were written) and `active` (the rules that
-- count: a decision names shadow rules as well, an alert does not).
CREATE TEMP TABLE alerts AS
WITH flagged AS (
    SELECT * FROM decisions WHERE alert_id IS NOT NULL
),
sums AS (
    SELECT
        alert_id,
        any_value(card_id) AS card_id,
        arg_min(event_time, source_offset) AS opened_at,
        max(event_time) AS updated_at,
        count(*) AS hits,
        sum(base_amount)::DOUBLE AS money,
        max(score) AS score,
        CASE WHEN bool_or(band = 'block') THEN 'block' ELSE 'review' END AS band,
        bool_or(list_contains(rules_fired, 'impossible_travel')) AS has_travelled
    FROM flagged
    GROUP BY alert_id
),
fired AS (
    SELECT alert_id, list(DISTINCT rule) AS rules
    FROM (SELECT alert_id, unnest(rules_fired) AS rule FROM flagged)
    SEMI JOIN active USING (rule)
    GROUP BY alert_id
),
latest AS (
    SELECT alert_id, country, channel, merchant_id, ruleset
    FROM flagged
    QUALIFY row_number() OVER (PARTITION BY alert_id ORDER BY source_offset DESC) = 1
)
SELECT
    sums.*,
    rules,
    country,
    channel,
    merchant_id,
    split_part(ruleset, '@', 1) AS ruleset,
    split_part(ruleset, '@', 2) AS version,
    coalesce(status, 'open') AS status,
    assignee,
    verdict,
    judged_hits,
    ingested_at,
    delay_ms,
    partition,
    kafka_offset
FROM sums
JOIN fired USING (alert_id)
JOIN latest USING (alert_id)
JOIN arrivals USING (alert_id)
LEFT JOIN cases USING (alert_id);

-- One row for each rule that fired on an alert.
CREATE TEMP TABLE fires AS
SELECT unnest(rules) AS rule, * FROM alerts;
