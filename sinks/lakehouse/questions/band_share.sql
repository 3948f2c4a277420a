-- How many decisions each day got which band, and the share.
-- $days integer = 30  How many days back from the newest decision.
SELECT
    event_time::DATE AS day,
    band,
    count(*) AS decisions,
    round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY event_time::DATE), 3) AS percent,
    sum(base_amount) AS money
FROM decisions
WHERE event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
    AND NOT is_duplicate
GROUP BY day, band
ORDER BY day DESC, band;
