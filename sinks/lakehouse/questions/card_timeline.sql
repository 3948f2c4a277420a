-- What one card did, the newest first.
-- $card text  The card's token.
-- $limit integer = 50  How many transactions.
SELECT
    event_time,
    merchant_id,
    base_amount,
    channel,
    country,
    status,
    band,
    score,
    rules_fired,
    alert_id,
    is_late,
    is_duplicate
FROM decisions
WHERE card_id = $card
ORDER BY event_time DESC, kafka_offset DESC
LIMIT $limit;
