-- title: Unresolved
-- question: Which calls were most likely left unresolved, and what says so?
-- grain: one row per call with status ok
-- example: SELECT call_id, score, reasons FROM unresolved(min_score := 1.5, since := '2026-10-01') LIMIT 20;
-- needs: reasons_within, contact_links, reason_weights
--
-- The score is the sum of the weights in reasons, nothing else. since: first call date looked at; a
-- literal prunes the days before it. repeat_confirmed: the customer called again about the same
-- within window_days; NULL while that window is open (contact_links), or the customer unknown.
--
-- The reasons are those of call_reasons; the earlier call is added here, so that the links of a call
-- are looked for once.
CREATE OR REPLACE MACRO unresolved(min_score := 0, since := NULL, window_days := 7) AS TABLE
WITH weighed AS (
    SELECT *, sum(weight) OVER (PARTITION BY call_date, call_id) AS within
    FROM reasons_within(since := since)
),
repeat_weight AS (
    SELECT round(weight, 2) AS weight
    FROM reason_weights
    WHERE rule_id IS NULL AND reason = 'repeat_contact'
),
found AS (
    SELECT
        call_date,
        call_id,
        any_value(within) AS within,
        -- lists cost more than sums: only those of calls that an earlier call could lift that far
        list({'below': -weight, 'reason': reason, 'role': role, 'start_ms': start_ms,
              'end_ms': end_ms, 'quote': quote, 'rule_id': rule_id})
            FILTER (round(within + greatest(0, (SELECT weight FROM repeat_weight)), 2)
                    >= min_score) AS reasons
    FROM weighed
    GROUP BY call_date, call_id
),
scored AS (
    SELECT
        calls.call_id,
        calls.call_date,
        calls.recording_uri,
        repeat_confirmed,
        coalesce(within, 0) AS within,
        reasons,
        'after ' || previous_call_id AS after,
        CASE WHEN previous_call_id IS NULL THEN 0
             ELSE coalesce((SELECT weight FROM repeat_weight), 0) END AS again
    FROM calls
    LEFT JOIN found USING (call_date, call_id)
    LEFT JOIN contact_links(window_days := window_days, since := since) AS link
        USING (call_date, call_id)
    WHERE calls.status = 'ok'
      AND (since IS NULL OR calls.call_date >= since::DATE)
)
SELECT
    call_id,
    call_date,
    round(within + again, 2) AS score,
    -- sorted at the end: a list() that sorts costs twice as much
    list_transform(
        list_sort(list_concat(
            coalesce(reasons, []),
            CASE WHEN again = 0 THEN []
                 ELSE [{'below': -again, 'reason': 'repeat_contact', 'role': 'customer',
                        'start_ms': NULL, 'end_ms': NULL, 'quote': after, 'rule_id': NULL}] END
        )),
        lambda one: {
            'reason': one.reason, 'weight': -one.below, 'role': one.role,
            'start_ms': one.start_ms, 'end_ms': one.end_ms, 'quote': one.quote,
            'rule_id': one.rule_id
        }
    ) AS reasons,
    repeat_confirmed,
    recording_uri
FROM scored
WHERE score >= min_score
ORDER BY score DESC, call_id;
