-- title: Failures
-- question: Which calls have no result, in which stage did they fail, and why?
-- grain: one row per failed call
-- example: SELECT failed_stage, count(*) AS calls FROM failures GROUP BY failed_stage ORDER BY calls DESC;
-- needs:
CREATE OR REPLACE VIEW failures AS
SELECT call_id, call_date, started_at, failed_stage, error, recording_uri, codec, run_id
FROM calls
WHERE status = 'failed'
ORDER BY call_date DESC, call_id;
