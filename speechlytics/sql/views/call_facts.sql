-- title: Facts of a call
-- question: What did each call come to, in the figures that all KPIs add up?
-- grain: one row per call
-- example: SELECT call_id, unresolved, dead_air_ms, sentiment FROM call_facts WHERE call_date >= '2026-10-01' LIMIT 20;
-- needs: unresolved_calls, call_sentiment, long_silences, contact_links
--
-- What cannot be known for a call is NULL and leaves averages alone: a call that was not transcribed
-- is neither resolved nor unresolved. Dead air here is unannounced silence of 10 s or more.
CREATE OR REPLACE VIEW call_facts AS
WITH standing AS (
    SELECT
        call_date,
        call_id,
        sum(duration_ms) FILTER (kind = 'silence' AND announced IS NOT TRUE) AS dead_air_ms,
        count(*) FILTER (severity IS NOT NULL) AS silence_alerts,
        max(harm) FILTER (severity IS NOT NULL) AS worst_harm
    FROM long_silences()
    WHERE position = 'inner'
    GROUP BY call_date, call_id
),
heard AS (
    SELECT
        call_date,
        call_id,
        bool_or(category = 'greeting') AS greeted,
        bool_or(category = 'identification') AS identified,
        bool_or(category = 'closing_question') AS closed
    FROM phrase_hits
    WHERE category IN ('greeting', 'identification', 'closing_question')
    GROUP BY call_date, call_id
)
SELECT
    calls.call_id,
    calls.call_date,
    calls.started_local,
    calls.direction,
    calls.queue,
    calls.team,
    calls.agent_id,
    calls.status,
    calls.answered,
    calls.wait_ms,
    calls.duration_ms,
    calls.agent_talk_ms,
    calls.customer_talk_ms,
    calls.hold_ms,
    calls.non_talk_ms,
    calls.overtalk_ms,
    calls.csat,
    CASE WHEN calls.non_talk_ms IS NOT NULL THEN coalesce(standing.dead_air_ms, 0) END
        AS dead_air_ms,
    CASE WHEN calls.non_talk_ms IS NOT NULL THEN coalesce(standing.silence_alerts, 0) END
        AS silence_alerts,
    standing.worst_harm,
    CASE WHEN judged THEN unresolved_calls.call_id IS NOT NULL END AS unresolved,
    CASE WHEN judged THEN coalesce(heard.greeted, false) END AS greeted,
    CASE WHEN judged THEN coalesce(heard.identified, false) END AS identified,
    CASE WHEN judged THEN coalesce(heard.closed, false) END AS closed,
    call_sentiment.sentiment,
    CASE WHEN link.call_id IS NOT NULL THEN link.previous_call_id IS NOT NULL END AS repeats,
    link.repeat_confirmed
FROM (SELECT *, status = 'ok' AND transcript_source IS NOT NULL AS judged FROM calls) AS calls
LEFT JOIN standing USING (call_date, call_id)
LEFT JOIN heard USING (call_date, call_id)
LEFT JOIN unresolved_calls USING (call_date, call_id)
LEFT JOIN call_sentiment USING (call_date, call_id)
LEFT JOIN contact_links() AS link USING (call_date, call_id);
