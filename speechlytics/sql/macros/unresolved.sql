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
WITH collected AS (
    SELECT
        call_id,
        round(sum(weight), 2) AS score,
        list({'reason': reason, 'weight': weight, 'role': role, 'start_ms': start_ms,
              'end_ms': end_ms, 'quote': quote, 'rule_id': rule_id}
             ORDER BY weight DESC, reason) AS reasons
    FROM call_reasons(since := since, window_days := window_days)
    GROUP BY call_id
)
SELECT
    calls.call_id,
    calls.call_date,
    coalesce(score, 0) AS score,
    coalesce(reasons, []) AS reasons,
    chain.repeat_confirmed,
    calls.recording_uri
FROM calls
LEFT JOIN collected USING (call_id)
LEFT JOIN contact_chain(window_days := window_days, since := since) AS chain USING (call_id)
WHERE calls.status = 'ok'
  AND (since IS NULL OR calls.call_date >= since::DATE)
  AND coalesce(score, 0) >= min_score
ORDER BY score DESC, calls.call_id;
