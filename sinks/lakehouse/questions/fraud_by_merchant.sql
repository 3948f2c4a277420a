-- Merchants whose share of known frauds rose most against the time before.
-- $days integer = 7  The recent time, in days back from the newest decision.
-- $before integer = 30  The time before it to compare with, in days.
-- $least integer = 20  How many labelled transactions it takes in the recent time.
WITH newest AS (
    SELECT max(event_time) AS moment FROM decisions
),
labelled AS (
    SELECT
        merchant_id,
        is_fraud::INTEGER AS fraud,
        event_time > moment - to_days($days) AS is_recent
    FROM decisions_labelled, newest
    WHERE is_fraud IS NOT NULL AND event_time > moment - to_days($days) - to_days($before)
)
SELECT
    merchant_id,
    count(*) FILTER (is_recent) AS labelled,
    round(avg(fraud) FILTER (is_recent), 4) AS fraud_share,
    round(avg(fraud) FILTER (NOT is_recent), 4) AS before_share,
    round(fraud_share - coalesce(before_share, 0), 4) AS rise
FROM labelled
GROUP BY merchant_id
HAVING count(*) FILTER (is_recent) >= $least
ORDER BY rise DESC, merchant_id
LIMIT 20;
