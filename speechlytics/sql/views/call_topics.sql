-- title: Topics of a call
-- question: What is this call about?
-- grain: one row per call and topic
-- example: SELECT topic, count(*) AS calls FROM call_topics WHERE main GROUP BY topic ORDER BY calls DESC;
-- needs: contact_topics
--
-- The main topic is the one that most of the call's segments mention; between equals the one
-- mentioned first, because customers open with what they call about. A call without a row here
-- has no known topic.
CREATE OR REPLACE VIEW call_topics AS
WITH mentioned AS (
    SELECT
        call_id,
        call_date,
        category AS topic,
        count(DISTINCT segment_id) AS mentions,
        min(start_ms) AS first_ms,
        arg_min(matched_text, start_ms) AS quote,
        arg_min(role, start_ms) AS first_role
    FROM phrase_hits
    WHERE category IN (SELECT topic FROM contact_topics)
    GROUP BY call_id, call_date, category
)
SELECT
    *,
    -- the name breaks the last tie, so that one call never has two main topics; call_date among
    -- the keys lets a filter on the day pass through to the files
    row_number() OVER (
        PARTITION BY call_date, call_id ORDER BY mentions DESC, first_ms, topic
    ) = 1 AS main
FROM mentioned;
