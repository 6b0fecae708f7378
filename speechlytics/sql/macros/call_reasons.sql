-- title: Reasons of a call
-- question: What speaks for and against each call having been left unresolved, with quote and time?
-- grain: one row per call and reason
-- example: SELECT call_id, reason, weight, quote FROM call_reasons(since := '2026-10-01') ORDER BY call_id, weight DESC;
-- needs: reasons_within, contact_links, reason_weights
--
-- What the arguments do stands in reasons_within; window_days: how far back an earlier call about
-- the same still counts.
CREATE OR REPLACE MACRO call_reasons(
    since := NULL, window_days := 7, opening := 0.2, settled := 0.3, ending_s := 15
) AS TABLE
FROM reasons_within(since := since, opening := opening, settled := settled, ending_s := ending_s)
UNION ALL BY NAME
SELECT
    call_id, call_date, reason, round(weight, 2) AS weight, 'customer' AS role,
    'after ' || previous_call_id AS quote
FROM contact_links(window_days := window_days, since := since)
JOIN calls USING (call_date, call_id)
JOIN reason_weights ON rule_id IS NULL AND reason = 'repeat_contact'
WHERE previous_call_id IS NOT NULL AND status = 'ok' AND round(weight, 2) <> 0;
