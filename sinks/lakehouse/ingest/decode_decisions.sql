-- Decisions from JSON text, one row for each record of which one can be sure, and how sure.
--
-- block      the records in three pieces, because each function reads its text anew: the transaction,
--            the features, and the rest
-- $..._spec  the columns to take from each part, for from_json
-- $..._paths where the members are whose JSON types must be right: from_json turns "12" into 12 and
--            'abc' into NULL without a word
-- $rest_keys the members of a decision but for its id, transaction and features, in their order
-- $source_keys the members of its source
-- $features  how many features are expected
-- $time_shape, $control  how times look, and what no id may have in it
--
-- TRY gives NULL for a text that fails, instead of failing the whole query. The last columns are
-- evidence: Python turns them into a verdict, and judges the values of which there are few
-- (`certainty.py`), each different one once.
WITH parsed AS (
    SELECT
        * EXCLUDE (features_text, rest),
        TRY(from_json(transaction, $transaction_spec)) AS t,
        TRY(json_type(transaction, $transaction_paths))::VARCHAR AS transaction_types,
        TRY(json_keys(transaction)) AS transaction_keys,
        -- Strict: each feature that is expected is there, and once.
        TRY(from_json_strict(features_text, $features_spec)) AS features,
        TRY(json_type(features_text, '$.*')) AS feature_types,
        TRY(from_json(rest, $rest_spec)) AS r,
        TRY(json_type(rest, $rest_paths))::VARCHAR AS rest_types,
        array_to_string(TRY(json_type(rest, '$.rules_fired[*]')), ',') AS rule_types,
        (
            TRY(json_keys(rest)) = $rest_keys
            AND TRY(json_keys(rest, '$.source')) = $source_keys
        ) AS has_expected_members,
        -- DuckDB takes a comma behind the last member, and NaN, for JSON.
        (
            NOT contains(features_text, ',}')
            AND is_compact(rest)
            AND NOT contains(transaction, 'NaN') AND NOT contains(transaction, 'Infinity')
            AND CASE
                WHEN is_compact(transaction) THEN true
                ELSE NOT regexp_matches(transaction, ',\s*[}\]]')
            END
        ) AS is_strict_json
    FROM block
),
timed AS (
    SELECT
        *,
        epoch_us(TRY_CAST(t.event_time AS TIMESTAMPTZ)) AS event_us,
        epoch_us(TRY_CAST(r.decided_at AS TIMESTAMPTZ)) AS decided_us
    FROM parsed
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
    event_us - event_us % 1000 AS event_time_us,
    TRY_CAST(t.amount AS DECIMAL(18, 4)) AS amount,
    features,
    r.* EXCLUDE (base_amount, source, decided_at),
    TRY_CAST(r.base_amount AS DECIMAL(18, 2)) AS base_amount,
    decided_us - decided_us % 1000 AS decided_at_us,
    r.source.topic AS source_topic,
    r.source."partition" AS source_partition,
    r.source."offset" AS source_offset,
    transaction_types,
    rest_types,
    (
        has_expected_members
        AND is_strict_json
        AND features IS NOT NULL
        AND len(feature_types) = $features
        -- Of the names of JSON types, only those that are neither number nor null have an A or a J.
        AND NOT contains(array_to_string(feature_types, ','), 'A')
        AND NOT contains(array_to_string(feature_types, ','), 'J')
        AND list_unique(transaction_keys) = len(transaction_keys)
        AND regexp_full_match(decision_id, '[0-9a-f]{32}')
        AND regexp_full_match(rule_types, '(VARCHAR(,VARCHAR)*)?')
        -- A double tells the exact decimal unless it is large, or lies halfway between two.
        AND t.amount >= 0 AND NOT signbit(t.amount) AND t.amount < 1e9
        AND abs(t.amount * 1e4 - floor(t.amount * 1e4) - 0.5) > 0.01
        AND abs(r.base_amount) < 1e9
        AND abs(r.base_amount * 1e2 - floor(r.base_amount * 1e2) - 0.5) > 0.01
        AND regexp_full_match(t.event_time, $time_shape)
        AND regexp_full_match(r.decided_at, $time_shape)
        AND event_us BETWEEN 0 AND 253402300799999999
        AND decided_us BETWEEN 0 AND 253402300799999999
        AND r.source."partition" <= 2147483647
        -- Integers of more digits are none for the contract.
        AND r.source."offset" < 1000000000000000000
        AND coalesce(r.duplicate_of_offset, 0) < 1000000000000000000
        AND r.score >= 0 AND NOT signbit(r.score) AND isfinite(r.score)
        -- The limits themselves may be what a number just beyond was rounded to.
        AND coalesce(abs(t.latitude), 0) < 90 AND coalesce(abs(t.longitude), 0) < 180
        AND coalesce(abs(t.billing_latitude), 0) < 90
        AND coalesce(abs(t.billing_longitude), 0) < 180
        AND coalesce(abs(t.shipping_latitude), 0) < 90
        AND coalesce(abs(t.shipping_longitude), 0) < 180
        -- In bytes, of which there are never fewer than characters.
        AND strlen(t.transaction_id) BETWEEN 1 AND 256
        AND strlen(t.card_id) BETWEEN 1 AND 256
        AND strlen(t.customer_id) BETWEEN 1 AND 256
        AND strlen(t.merchant_id) BETWEEN 1 AND 256
        AND coalesce(strlen(t.device_id), 0) <= 256
        AND coalesce(strlen(t.ip_address), 0) <= 256
        AND coalesce(strlen(r.previous_transaction_id), 0) <= 256
        AND NOT regexp_matches(
            concat(
                t.transaction_id, t.card_id, t.customer_id, t.merchant_id,
                t.device_id, t.ip_address, r.previous_transaction_id
            ),
            $control
        )
    ) IS TRUE AS looks_right
FROM timed
