-- What could not be decided, stored or indexed, and why.
-- $days integer = 30  How many days back from the newest dead letter.
SELECT
    stage,
    reason,
    source_topic,
    count(*) AS letters,
    min(failed_at) AS first,
    max(failed_at) AS last,
    arg_max(detail, failed_at) AS newest_detail
FROM dead_letters
WHERE failed_at > (SELECT max(failed_at) FROM dead_letters) - to_days($days)
GROUP BY stage, reason, source_topic
ORDER BY letters DESC, stage, reason, source_topic;
