"""What every panel must show, as SQL over ``dashboard_alerts.sql``, written panel by panel by hand.

First the columns that a row is found by, the outer one first, then its values. A list instead of a
number stands for a percentile: the values that it must lie among. ``$moment`` is the present.
"""

from __future__ import annotations

COUNTS: dict[tuple[str, str], str] = {
    ("queue", "open"): "SELECT count(*) FILTER (status = 'open') FROM alerts",
    ("queue", "open-block"): """
        SELECT count(*) FILTER (status = 'open' AND band = 'block') FROM alerts""",
    ("queue", "in-progress"): """
        SELECT count(*) FILTER (status = 'in_progress'), count(*) FILTER (status = 'closed')
        FROM alerts""",
    ("queue", "at-stake"): "SELECT sum(money) FROM alerts WHERE status <> 'closed'",
    ("queue", "grown"): """
        SELECT
            count(*) FILTER (hits > judged_hits),
            count(*) FILTER (hits > judged_hits AND verdict = 'genuine')
        FROM alerts""",
    ("queue", "age"): """
        SELECT
            band,
            CASE
                WHEN opened_at >= $moment - INTERVAL 15 MINUTE THEN 'under 15 minutes'
                WHEN opened_at >= $moment - INTERVAL 1 HOUR THEN 'to 1 hour'
                WHEN opened_at >= $moment - INTERVAL 4 HOUR THEN 'to 4 hours'
                WHEN opened_at >= $moment - INTERVAL 24 HOUR THEN 'to 1 day'
                ELSE 'to 30 days'
            END AS age,
            count(*)
        FROM alerts WHERE status = 'open' GROUP BY ALL""",
    ("queue", "rules"): """
        SELECT rule, count(*) AS alerts FROM fires WHERE status = 'open'
        GROUP BY rule ORDER BY alerts DESC, rule LIMIT 10""",
    ("queue", "assignees"): """
        SELECT assignee, count(*), sum(money), max(score) FROM alerts
        WHERE status = 'in_progress' GROUP BY assignee""",
    ("card", "alerts"): "SELECT count(*), count(*) FILTER (verdict = 'fraud') FROM alerts",
    ("card", "payments"): "SELECT sum(hits) FROM alerts",
    ("card", "money"): "SELECT sum(money) FROM alerts",
    ("card", "worst"): "SELECT max(score) FROM alerts",
    ("card", "over-time"): """
        SELECT band, epoch_ms(date_trunc('hour', opened_at)), sum(money)
        FROM alerts GROUP BY ALL""",
    ("card", "places"): """
        WITH often AS (
            SELECT country, count(*) AS alerts FROM alerts WHERE country IS NOT NULL
            GROUP BY country ORDER BY alerts DESC, country LIMIT 20
        )
        SELECT country, channel, count(*), sum(hits), sum(money), count(DISTINCT merchant_id)
        FROM alerts SEMI JOIN often USING (country) GROUP BY country, channel""",
    ("rules", "judged"): "SELECT count(verdict), count(*) FROM alerts",
    ("rules", "precision"): """
        SELECT count(*) FILTER (verdict = 'fraud') / count(verdict) FROM alerts""",
    ("rules", "noise"): "SELECT count(*) FILTER (verdict = 'genuine') FROM alerts",
    ("rules", "rules"): """
        SELECT
            rule,
            count(*),
            count(*) FILTER (band = 'block'),
            count(verdict),
            count(*) FILTER (verdict = 'fraud'),
            count(*) FILTER (verdict = 'genuine'),
            count(*) FILTER (verdict = 'fraud') / nullif(count(verdict), 0),
            coalesce(sum(money) FILTER (verdict = 'fraud'), 0)
        FROM fires GROUP BY rule""",
    ("rules", "false-alarms"): """
        SELECT rule, count(*) AS alerts FROM fires WHERE verdict = 'genuine'
        GROUP BY rule ORDER BY alerts DESC, rule LIMIT 15""",
    ("rules", "fires"): """
        WITH often AS (
            SELECT rule, count(*) AS alerts FROM fires
            GROUP BY rule ORDER BY alerts DESC, rule LIMIT 10
        )
        SELECT rule, epoch_ms(date_trunc('hour', opened_at)), count(*)
        FROM fires SEMI JOIN often USING (rule) GROUP BY ALL""",
    ("operations", "lately"): """
        SELECT count(*) FILTER (ingested_at >= $moment - INTERVAL 10 MINUTE), count(*)
        FROM alerts""",
    ("operations", "half"): "SELECT list(delay_ms) FROM alerts",
    ("operations", "nearly-all"): "SELECT list(delay_ms), max(delay_ms) FROM alerts",
    ("operations", "arrivals"): """
        SELECT band, epoch_ms(date_trunc('minute', ingested_at)), count(*)
        FROM alerts GROUP BY ALL""",
    ("operations", "delay"): """
        SELECT epoch_ms(date_trunc('minute', ingested_at)), list(delay_ms), list(delay_ms)
        FROM alerts GROUP BY 1""",
    ("operations", "partitions"): """
        SELECT partition, count(*), max(kafka_offset), list(delay_ms), max(delay_ms)
        FROM alerts GROUP BY partition""",
    ("operations", "versions"): """
        SELECT ruleset, version, count(*), sum(hits) FROM alerts GROUP BY ruleset, version""",
}
LISTS: dict[tuple[str, str], str] = {
    # The sort keys in their order, and the alert: what has equal keys may stand in any order.
    ("queue", "alerts"): """
        SELECT score, epoch_ms(opened_at), alert_id FROM alerts WHERE status <> 'closed'
        ORDER BY score DESC, opened_at""",
    ("queue", "grown-alerts"): """
        SELECT epoch_ms(updated_at), alert_id FROM alerts WHERE hits > judged_hits
        ORDER BY updated_at DESC""",
    ("card", "timeline"): "SELECT epoch_ms(opened_at), alert_id FROM alerts ORDER BY opened_at",
    ("card", "journeys"): """
        SELECT epoch_ms(opened_at), alert_id FROM alerts WHERE has_travelled
        ORDER BY opened_at""",
}
