-- Which rule sets decided, from when to when, and how strictly (text: see decided_by).
SELECT
    decided.*,
    rulesets.published_at,
    rulesets.origin,
    rulesets.source,
    rulesets.review_at,
    rulesets.block_at,
    len(rulesets.rules) AS rules
FROM (
    SELECT
        ruleset,
        min(decided_at) AS first_decision,
        max(decided_at) AS last_decision,
        count(*) AS decisions,
        count(*) FILTER (band <> 'allow') AS flagged,
        round(100.0 * count(*) FILTER (band <> 'allow') / count(*), 2) AS flagged_percent
    FROM decisions
    WHERE NOT is_duplicate
    GROUP BY ruleset
) AS decided
LEFT JOIN rulesets USING (ruleset)
ORDER BY last_decision DESC, ruleset;
