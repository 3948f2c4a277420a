-- Merchants where most money was flagged.
-- $days integer = 30  How many days back from the newest decision.
-- $limit integer = 20  How many merchants.
SELECT
    merchant_id,
    any_value(merchant_category) AS merchant_category,
    count(*) FILTER (band <> 'allow') AS flagged,
    count(*) AS transactions,
    round(100.0 * flagged / transactions, 2) AS flagged_percent,
    sum(base_amount) FILTER (band <> 'allow') AS flagged_money,
    count(DISTINCT card_id) FILTER (band <> 'allow') AS cards
FROM decisions
WHERE event_time > (SELECT max(event_time) FROM decisions) - to_days($days)
GROUP BY merchant_id
HAVING flagged > 0
ORDER BY flagged_money DESC, merchant_id
LIMIT $limit;
