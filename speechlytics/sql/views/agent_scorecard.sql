-- title: Agent scorecard
-- question: How does each agent do, over everything in the store?
-- grain: one row per agent
-- example: SELECT agent_id, calls, unresolved_share, closing_question_share FROM agent_scorecard LIMIT 20;
-- needs: scorecard
CREATE OR REPLACE VIEW agent_scorecard AS
FROM scorecard();
