-- What people ask. The tables as they are stored stand in the schema `lake`.

-- A letter may be written twice when a sink dies between writing it and moving on: it shows once.
CREATE VIEW dead_letters AS
SELECT * FROM lake.dead_letters
QUALIFY row_number() OVER (
    PARTITION BY stage, source_topic, source_partition, source_offset, original
    ORDER BY kafka_offset
) = 1;

-- One row for each rule that fired on a decision.
CREATE VIEW rule_fires AS
SELECT
    unnest(rules_fired) AS rule_id,
    ruleset,
    decision_id,
    transaction_id,
    event_time,
    card_id,
    customer_id,
    merchant_id,
    base_amount,
    base_currency,
    score,
    band,
    is_late,
    is_duplicate,
    alert_id
FROM lake.decisions;

-- One row for each rule of each version of a rule set; with rule_fires by ruleset and rule_id.
CREATE VIEW rules AS
SELECT
    ruleset,
    published_at,
    unnest(rules, recursive := true)
FROM lake.rulesets;

-- One row for each day and band: alerts, and what was flagged under them.
CREATE VIEW alerts_by_day AS
SELECT
    event_time::DATE AS day,
    band,
    count(DISTINCT alert_id) AS alerts,
    count(*) AS decisions,
    count(DISTINCT card_id) AS cards,
    sum(base_amount) AS money,
    any_value(base_currency) AS base_currency
FROM lake.decisions
WHERE alert_id IS NOT NULL
GROUP BY ALL;

-- Each decision with the newest label that was known at a moment (NULL: whatever is known now).
-- What was learnt later is left out, so that an analysis of the past does not know the future. A
-- repeat has no label: it was decided once, and counts once.
CREATE MACRO labelled_at(moment) AS TABLE
WITH known AS (
    SELECT transaction_id, card_id, label, source, reason, label_time
    FROM lake.labels
    WHERE label_time <= coalesce(moment::TIMESTAMPTZ, 'infinity'::TIMESTAMPTZ)
    QUALIFY row_number() OVER (
        PARTITION BY transaction_id, card_id
        ORDER BY label_time DESC, kafka_partition DESC, kafka_offset DESC
    ) = 1
)
SELECT
    decisions.*,
    known.label,
    known.label = 'fraud' AS is_fraud,
    known.source AS label_source,
    known.reason AS label_reason,
    known.label_time
FROM lake.decisions AS decisions
LEFT JOIN known
    ON decisions.transaction_id = known.transaction_id
    AND decisions.card_id = known.card_id
    AND NOT decisions.is_duplicate;

-- The same at the moment that was asked for with --known-at.
CREATE VIEW decisions_labelled AS
FROM labelled_at(getvariable('known_at'));
