-- Rules that fire mostly on what turns out to be genuine, and what that costs.
-- $days integer = 90  How many days back from the newest decision.
-- $precision number = 0.1  Below which share of frauds a rule is noisy.
-- $least integer = 20  How many labelled fires it takes to judge a rule.
SELECT
    rule_id,
    count(*) AS labelled_fires,
    round(avg(is_fraud::INTEGER), 3) AS precision,
    count(*) FILTER (NOT is_fraud) AS false_alarms,
    count(DISTINCT card_id) FILTER (NOT is_fraud) AS customers_disturbed
FROM (
    SELECT unnest(rules_fired) AS rule_id, is_fraud, card_id
    FROM decisions_labelled
    WHERE event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
        AND is_fraud IS NOT NULL
)
GROUP BY rule_id
HAVING count(*) >= $least AND avg(is_fraud::INTEGER) < $precision
ORDER BY false_alarms DESC, rule_id;
