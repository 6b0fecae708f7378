-- title: Topics of a call
-- question: What is this call about?
-- grain: one row per call and topic
-- example: SELECT topic, count(*) AS calls FROM call_topics WHERE main GROUP BY topic ORDER BY calls DESC;
-- needs: contact_topics
--
-- Every mention is evidence for its topic: as much as its rule's weight says (1 where the pack
-- sets none; hints less), half of that in the agent's mouth, and the less the later it is said,
-- because customers open with what they call about: half of it after half a minute. The main
-- topic has the most evidence; between equals it is the one mentioned first. A topic with less
-- than half of the main one's evidence was only mentioned and is left out, and so is one with
-- next to none. A call without a row here has no known topic.
CREATE OR REPLACE VIEW call_topics AS
WITH said AS (
    SELECT
        call_id,
        call_date,
        category AS topic,
        segment_id,
        -- once per segment, by the strongest phrase
        max(
            coalesce(nullif(rule.weight, 0), 1)
            * CASE WHEN role = 'agent' THEN 0.5 ELSE 1 END
            / (1 + start_ms / 30000.0)
        ) AS evidence,
        min(start_ms) AS start_ms,
        arg_min(matched_text, start_ms) AS quote,
        any_value(role) AS role
    FROM phrase_hits
    LEFT JOIN (SELECT rule_id, any_value(weight) AS weight FROM rules GROUP BY rule_id) AS rule
        USING (rule_id)
    WHERE category IN (SELECT topic FROM contact_topics)
    GROUP BY call_id, call_date, category, segment_id
),
mentioned AS (
    SELECT
        call_id,
        call_date,
        topic,
        round(sum(evidence), 3) AS evidence,
        count(*) AS mentions,
        min(start_ms) AS first_ms,
        arg_min(quote, start_ms) AS quote,
        arg_min(role, start_ms) AS first_role
    FROM said
    GROUP BY call_id, call_date, topic
)
SELECT
    *,
    -- the name breaks the last tie, so that one call never has two main topics; call_date among
    -- the keys lets a filter on the day pass through to the files
    row_number() OVER (
        PARTITION BY call_date, call_id ORDER BY evidence DESC, first_ms, topic
    ) = 1 AS main
FROM mentioned
WHERE evidence >= 0.1
QUALIFY evidence >= max(evidence) OVER (PARTITION BY call_date, call_id) / 2;
