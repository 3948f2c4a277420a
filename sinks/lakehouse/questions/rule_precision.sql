-- How often each rule was right, as far as labels are known (--known-at: as of then).
-- $days integer = 90  How many days back from the newest decision.
SELECT
    rule_id,
    count(*) AS fires,
    count(*) FILTER (is_fraud) AS fraud,
    count(*) FILTER (NOT is_fraud) AS genuine,
    round(fraud / nullif(fraud + genuine, 0), 3) AS precision,
    sum(base_amount) FILTER (is_fraud) AS fraud_money
FROM (
    SELECT unnest(rules_fired) AS rule_id, is_fraud, base_amount
    FROM decisions_labelled
    WHERE event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
        AND NOT is_duplicate
)
GROUP BY rule_id
ORDER BY fires DESC, rule_id;
