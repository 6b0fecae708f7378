-- title: Calls longer than a limit
-- needs:
CREATE OR REPLACE MACRO longer_than(min_ms := 1000) AS TABLE
SELECT call_id FROM calls WHERE duration_ms > min_ms ORDER BY call_id;
