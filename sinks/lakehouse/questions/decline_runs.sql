-- Cards with many declined transactions within an hour: what card testing looks like.
-- $days integer = 7  How many days back from the newest decision.
-- $least integer = 5  How many declines within an hour.
SELECT
    card_id,
    date_trunc('hour', event_time) AS hour,
    count(*) AS declines,
    count(DISTINCT merchant_id) AS merchants,
    min(base_amount) AS smallest,
    max(base_amount) AS largest,
    bool_or(band <> 'allow') AS was_flagged
FROM decisions
WHERE status = 'declined'
    AND NOT is_duplicate
    AND event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
GROUP BY card_id, hour
HAVING declines >= $least
ORDER BY declines DESC, hour DESC, card_id
LIMIT 100;
