-- How long after an event its decision was made and stored in Kafka, by hour.
-- $hours integer = 24  How many hours back from the newest decision.
SELECT
    date_trunc('hour', decided_at) AS hour,
    count(*) AS decisions,
    quantile_cont(epoch_ms(decided_at) - epoch_ms(event_time), 0.5) AS decided_p50_ms,
    quantile_cont(epoch_ms(decided_at) - epoch_ms(event_time), 0.99) AS decided_p99_ms,
    quantile_cont(epoch_ms(kafka_time) - epoch_ms(decided_at), 0.99) AS written_p99_ms,
    count(*) FILTER (is_late) AS late
FROM decisions
WHERE decided_at > (SELECT max(decided_at) FROM decisions) - to_hours($hours)
GROUP BY hour
ORDER BY hour DESC;
