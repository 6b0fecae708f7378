-- title: Silence alerts
-- question: Which silences and holds should QA listen to, most harmful first?
-- grain: one row per alerting silence or hold
-- example: SELECT harm, severity, call_id, start_ms, before_text, after_text FROM silence_alerts LIMIT 20;
-- needs: long_silences
CREATE OR REPLACE VIEW silence_alerts AS
SELECT *
FROM long_silences()
WHERE severity IS NOT NULL
ORDER BY harm DESC, duration_ms DESC, call_id, silence_id;
