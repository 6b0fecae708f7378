-- title: Unresolved
-- question: Which calls were most likely left unresolved, and what says so?
-- grain: one row per call with status ok
-- example: SELECT call_id, score, reasons FROM unresolved(min_score := 1.5, since := '2026-10-01') LIMIT 20;
-- needs: call_reasons, contact_chain
--
-- The score is the sum of the weights in reasons, nothing else. since: first call date looked at; a
-- literal prunes the days before it. repeat_confirmed: the customer called again about the same
-- within window_days; NULL while that window is open (contact_chain), or the customer unknown.
CREATE OR REPLACE MACRO unresolved(min_score := 0, since := NULL, window_days := 7) AS TABLE
WITH weighed AS MATERIALIZED (
    FROM call_reasons(since := since, window_days := window_days)
),
scored AS (
    SELECT call_id, round(sum(weight), 2) AS score
    FROM weighed
    GROUP BY call_id
),
-- sorted afterwards: a list() that sorts costs twice as much
collected AS (
    SELECT
        call_id,
        list_sort(list({'below': -weight, 'reason': reason, 'role': role, 'start_ms': start_ms,
                        'end_ms': end_ms, 'quote': quote, 'rule_id': rule_id})) AS sorted
    FROM weighed
    JOIN scored USING (call_id)
    WHERE score >= min_score
    GROUP BY call_id
),
judged AS (
    SELECT
        calls.call_id,
        calls.call_date,
        coalesce(scored.score, 0) AS score,
        collected.sorted,
        calls.recording_uri
    FROM calls
    LEFT JOIN scored USING (call_id)
    LEFT JOIN collected USING (call_id)
    WHERE calls.status = 'ok'
      AND (since IS NULL OR calls.call_date >= since::DATE)
      AND coalesce(scored.score, 0) >= min_score
)
SELECT
    judged.call_id,
    judged.call_date,
    score,
    coalesce(list_transform(sorted, lambda one: {
        'reason': one.reason, 'weight': -one.below, 'role': one.role, 'start_ms': one.start_ms,
        'end_ms': one.end_ms, 'quote': one.quote, 'rule_id': one.rule_id
    }), []) AS reasons,
    chain.repeat_confirmed,
    judged.recording_uri
FROM judged
LEFT JOIN contact_chain(window_days := window_days, since := since) AS chain USING (call_id)
ORDER BY score DESC, judged.call_id;
