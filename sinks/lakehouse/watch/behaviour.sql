-- What the newest rule set decided lately ($since to $until), and in the days before ($begin to $since).
WITH looked_at AS (
    SELECT decided_at >= $since AS is_recent, ruleset, decided_at, score, band, rules_fired
    FROM lake.decisions
    WHERE decided_at >= $begin AND decided_at < $until AND NOT is_duplicate
),
newest AS (
    SELECT arg_max(ruleset, decided_at) AS ruleset FROM looked_at
),
chosen AS (
    SELECT looked_at.* FROM looked_at JOIN newest ON looked_at.ruleset = newest.ruleset
),
-- Ten bins: without any score, and nine up to the highest that was seen.
highest AS (
    SELECT max(score) AS score FROM chosen
)
SELECT 'ruleset' AS kind, ruleset AS name, is_recent, count(*) AS decisions
FROM chosen GROUP BY ALL
UNION ALL
SELECT 'band', band, is_recent, count(*) FROM chosen GROUP BY ALL
UNION ALL
SELECT
    'score',
    CASE
        WHEN chosen.score <= 0 THEN '0'
        ELSE least(9, 1 + floor(9 * chosen.score / highest.score))::INTEGER::VARCHAR
    END AS name,
    is_recent,
    count(*)
FROM chosen, highest GROUP BY ALL
UNION ALL
SELECT 'rule', rule, is_recent, count(*)
FROM (SELECT unnest(rules_fired) AS rule, is_recent FROM chosen) GROUP BY ALL;
