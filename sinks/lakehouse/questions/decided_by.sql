-- Which rules decided a transaction, as their file was then (NULL: it is not recorded here).
-- $transaction text  Its id.
SELECT
    decision_id,
    card_id,
    event_time,
    band,
    score,
    rules_fired,
    ruleset,
    published_at,
    text
FROM decisions
LEFT JOIN rulesets USING (ruleset)
WHERE transaction_id = $transaction
ORDER BY decided_at, decision_id;
