-- title: Topics in hits
-- question: What are the calls with these phrase hits about?
-- grain: one row per call and topic
-- example: SELECT call_id, topic FROM topics_in('phrase_hits') WHERE call_date >= '2026-10-01' AND main;
-- needs: contact_topics
--
-- hits: the name of a table, or of a CTE of the query, with the columns of phrase_hits; call_topics
-- says how they are weighed. contact_links names the hits of the few calls that it compares.
CREATE OR REPLACE MACRO topics_in(hits) AS TABLE
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
    FROM query_table(hits)
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
