-- Frauds that were let through, the largest first, with the score they had.
-- $days integer = 90  How many days back from the newest decision.
-- $limit integer = 50  How many.
SELECT
    event_time,
    transaction_id,
    card_id,
    merchant_id,
    base_amount,
    score,
    rules_fired,
    label_source,
    label_time
FROM decisions_labelled
WHERE is_fraud
    AND band = 'allow'
    AND event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
ORDER BY base_amount DESC, transaction_id
LIMIT $limit;
