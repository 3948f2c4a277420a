-- How long after a transaction its label became known, by source.
-- $days integer = 365  How many days back from the newest label.
SELECT
    source,
    label,
    count(*) AS labels,
    round(quantile_cont(epoch(label_time) - epoch(event_time), 0.5) / 86400, 2) AS p50_days,
    round(quantile_cont(epoch(label_time) - epoch(event_time), 0.9) / 86400, 2) AS p90_days,
    round(max(epoch(label_time) - epoch(event_time)) / 86400, 2) AS longest_days
FROM labels
WHERE label_time > (SELECT max(label_time) FROM labels) - to_days($days)
GROUP BY source, label
ORDER BY labels DESC, source, label;
