-- How often each evaluated rule fired, by version, beside its condition then.
-- $days integer = 30  How many days back from the newest decision.
WITH recent AS (
    SELECT decision_id, ruleset, rules_fired, base_amount
    FROM decisions
    WHERE event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
        AND NOT is_duplicate
),
decided AS (
    SELECT ruleset, count(*) AS decisions FROM recent GROUP BY ruleset
),
fired AS (
    SELECT ruleset, rule_id, count(*) AS fires, sum(base_amount) AS money
    FROM (SELECT ruleset, unnest(rules_fired) AS rule_id, base_amount FROM recent)
    GROUP BY ruleset, rule_id
),
evaluated AS (
    SELECT ruleset, rule_id, state, weight, condition
    FROM rules
    SEMI JOIN decided USING (ruleset)
    WHERE state IN ('active', 'shadow')
)
SELECT
    ruleset,
    rule_id,
    coalesce(fires, 0) AS fires,
    decisions,
    round(100.0 * coalesce(fires, 0) / decisions, 3) AS percent,
    money,
    state,
    weight,
    condition
FROM evaluated
FULL JOIN fired USING (ruleset, rule_id)
JOIN decided USING (ruleset)
ORDER BY ruleset, fires DESC, rule_id;
