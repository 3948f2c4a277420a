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
    alert_id
FROM lake.decisions;
