-- Devices that were used with many cards.
-- $days integer = 30  How many days back from the newest decision.
-- $cards integer = 4  From how many cards on.
SELECT
    device_id,
    count(DISTINCT card_id) AS cards,
    count(DISTINCT customer_id) AS customers,
    count(*) AS decisions,
    count(*) FILTER (band <> 'allow') AS flagged,
    sum(base_amount) AS money
FROM decisions
WHERE device_id IS NOT NULL
    AND event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
GROUP BY device_id
HAVING cards >= $cards
ORDER BY cards DESC, device_id
LIMIT 100;
