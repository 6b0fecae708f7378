-- title: Scorecard
-- question: How did each agent do between two dates?
-- grain: one row per agent
-- example: SELECT agent_id, calls, unresolved_share, greeting_share FROM scorecard(since := '2026-10-01', until := '2026-10-31');
-- needs: call_facts
--
-- Shares are 0–1 of the agent's calls for which they are known. Compliance (greeting,
-- identification, closing question) is what the phrase packs heard: absence on a bad line may be
-- the recogniser's. Compare agents of one queue only: topics differ in how often they resolve.
CREATE OR REPLACE MACRO scorecard(since := NULL, until := NULL) AS TABLE
SELECT
    agent_id,
    any_value(team) AS team,
    count(*) AS calls,
    avg(duration_ms) / 1000 AS avg_duration_s,
    count(*) FILTER (unresolved) AS unresolved_calls,
    avg(unresolved::INT) AS unresolved_share,
    avg(repeat_confirmed::INT) AS called_again_share,
    avg(greeted::INT) AS greeting_share,
    avg(identified::INT) AS identification_share,
    avg(closed::INT) AS closing_question_share,
    sum(silence_alerts) AS silence_alerts,
    sum(dead_air_ms) / nullif(sum(duration_ms) FILTER (dead_air_ms IS NOT NULL), 0)
        AS dead_air_share,
    sum(hold_ms) / nullif(sum(duration_ms) FILTER (hold_ms IS NOT NULL), 0) AS hold_share,
    sum(overtalk_ms) / nullif(sum(duration_ms) FILTER (overtalk_ms IS NOT NULL), 0)
        AS overtalk_share,
    sum(agent_talk_ms) / nullif(sum(agent_talk_ms + customer_talk_ms), 0) AS talk_share,
    avg((sentiment = 'negative')::INT) AS negative_share,
    avg(csat) AS avg_csat
FROM call_facts
WHERE agent_id IS NOT NULL
  AND status IN ('ok', 'no_speech')
  AND (since IS NULL OR call_date >= since::DATE)
  AND (until IS NULL OR call_date <= until::DATE)
GROUP BY agent_id
ORDER BY calls DESC, agent_id;
