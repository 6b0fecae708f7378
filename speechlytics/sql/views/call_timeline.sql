-- title: Timeline of a call
-- question: What happened in this call, in order?
-- grain: one row per segment, silence or phrase hit of a call
-- example: SELECT start_ms, event, role, text FROM call_timeline WHERE call_id = 'a call' ORDER BY start_ms;
-- needs:
CREATE OR REPLACE VIEW call_timeline AS
SELECT call_id, call_date, start_ms, end_ms, 'segment' AS event, segment_id AS event_id,
       role, text, suspect AS detail, NULL::VARCHAR AS rule_id
FROM segments
UNION ALL
SELECT call_id, call_date, start_ms, end_ms, 'silence', silence_id,
       NULL, kind,
       concat_ws(', ', position,
                 CASE announced WHEN true THEN 'announced' WHEN false THEN 'unannounced' END,
                 CASE WHEN after_question THEN 'after a question' END,
                 CASE WHEN thanked THEN 'thanked' END),
       NULL
FROM silences
UNION ALL
SELECT call_id, call_date, start_ms, end_ms, 'hit', hit_id,
       role, matched_text, category, rule_id
FROM phrase_hits
ORDER BY call_id, start_ms, end_ms DESC;
