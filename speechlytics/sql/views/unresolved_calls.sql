-- title: Unresolved calls
-- question: Which calls count as left unresolved, worst first?
-- grain: one row per unresolved call
-- example: SELECT call_id, score, reasons[1].reason, reasons[1].quote FROM unresolved_calls LIMIT 20;
-- needs: unresolved
--
-- The default cut, the one that all KPIs use: reasons for outweigh reasons against by half a point.
CREATE OR REPLACE VIEW unresolved_calls AS
FROM unresolved(min_score := 0.5);
