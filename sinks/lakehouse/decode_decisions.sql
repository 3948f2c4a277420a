-- Decisions from JSON text, one row for each record, and how sure one can be of it.
--
-- block      the records, cut in two: the transaction's own text, and the rest of the decision
-- $..._spec  the columns to take from each part, for from_json
-- $..._paths where the members are whose JSON types must be right: from_json turns "12" into 12 and
--            'abc' into NULL without a word
-- $features  the feature names expected, in order
--
-- The last columns are evidence: Python turns them into a verdict, once for each distinct value.
WITH texts AS (
    -- First, because from_json fails the whole query at the first text that is not JSON.
    SELECT * FROM block WHERE json_valid(transaction) AND json_valid(rest)
),
parsed AS (
    SELECT
        * EXCLUDE (rest),
        from_json(transaction, $transaction_spec) AS t,
        from_json(rest, $rest_spec) AS r,
        json_type(transaction, $transaction_paths)::VARCHAR AS transaction_types,
        json_type(rest, $rest_paths)::VARCHAR AS rest_types,
        array_to_string(json_type(rest, '$.features.*'), ',') AS feature_types,
        array_to_string(json_type(rest, '$.rules_fired[*]'), ',') AS rule_types,
        json_keys(rest, '$.features') = $features AS has_expected_features,
        list_unique(json_keys(transaction)) = len(json_keys(transaction)) AS has_no_repeated_member
    FROM texts
)
SELECT
    row_index,
    decision_id,
    transaction,
    kafka_partition,
    kafka_offset,
    kafka_time_us,
    t.* EXCLUDE (event_time, amount),
    -- Times are cut to milliseconds, as the contract says.
    epoch_us(t.event_time) - epoch_us(t.event_time) % 1000 AS event_time_us,
    TRY_CAST(t.amount AS DECIMAL(18, 4)) AS amount,
    r.* EXCLUDE (base_amount, source, decided_at),
    TRY_CAST(r.base_amount AS DECIMAL(18, 2)) AS base_amount,
    epoch_us(r.decided_at) - epoch_us(r.decided_at) % 1000 AS decided_at_us,
    r.source.topic AS source_topic,
    r.source."partition" AS source_partition,
    r.source."offset" AS source_offset,
    transaction_types,
    rest_types,
    (
        has_expected_features
        AND has_no_repeated_member
        AND regexp_full_match(decision_id, '[0-9a-f]{32}')
        -- Of the names of JSON types, only those that are neither number nor null have an A or a J.
        AND NOT contains(feature_types, 'A')
        AND NOT contains(feature_types, 'J')
        AND regexp_full_match(rule_types, '(VARCHAR(,VARCHAR)*)?')
        -- A double tells the exact decimal unless it is large, or lies halfway between two.
        AND t.amount >= 0 AND t.amount < 1e9
        AND abs(t.amount * 1e4 - floor(t.amount * 1e4) - 0.5) > 0.01
        AND abs(r.base_amount) < 1e9
        AND abs(r.base_amount * 1e2 - floor(r.base_amount * 1e2) - 0.5) > 0.01
        AND epoch_us(t.event_time) BETWEEN 0 AND 253402300799999999
        AND epoch_us(r.decided_at) BETWEEN 0 AND 253402300799999999
        AND r.source."partition" <= 2147483647
        AND r.source."offset" <= 9223372036854775807
        AND coalesce(r.duplicate_of_offset, 0) <= 9223372036854775807
        AND r.score >= 0 AND isfinite(r.score)
        AND r.band IN ('allow', 'review', 'block')
    ) IS TRUE AS looks_right
FROM parsed
