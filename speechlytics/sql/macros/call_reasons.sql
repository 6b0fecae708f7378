-- title: Reasons of a call
-- question: What speaks for and against each call having been left unresolved, with quote and time?
-- grain: one row per call and reason
-- example: SELECT call_id, reason, weight, quote FROM call_reasons(since := '2026-10-01') ORDER BY call_id, weight DESC;
-- needs: reason_weights, long_silences, contact_chain
--
-- Each reason counts once per call, by its strongest instance (the later one if equal), so that a
-- long call does not win by its length. Weights come from reason_weights; only three things scale
-- them, all arguments:
--   * opening: what a phrase in the very first second is worth of one in the last. Callers open
--     with what is wrong; how the call ends tells how it was left.
--   * settled: what a complaint is worth once the customer has said, after it, that it is solved,
--     and what that is worth once the customer complains again after it.
--   * harm of a silence (0–1, long_silences).
-- ending_s: how close to the end words are the customer's last word on the matter.
CREATE OR REPLACE MACRO call_reasons(
    since := NULL, window_days := 7, opening := 0.2, settled := 0.3, ending_s := 15
) AS TABLE
WITH call AS (
    SELECT *
    FROM calls
    WHERE status = 'ok' AND (since IS NULL OR call_date >= since::DATE)
),
category_weight AS (
    SELECT reason, weight FROM reason_weights WHERE rule_id IS NULL
),
rule_weight AS (
    SELECT rule_id, any_value(weight) AS weight
    FROM reason_weights
    WHERE rule_id IS NOT NULL
    GROUP BY rule_id
),
spoken AS (
    SELECT call_id, role, start_ms, end_ms, text
    FROM segments
    WHERE role <> 'ivr' AND (since IS NULL OR call_date >= since::DATE)
),
hit AS (
    SELECT
        phrase_hits.*,
        coalesce(rule_weight.weight, category_weight.weight) AS weight,
        least(1.0, phrase_hits.start_ms / nullif(call.duration_ms, 0)) AS place
    FROM phrase_hits
    JOIN call USING (call_id)
    LEFT JOIN rule_weight ON rule_weight.rule_id = phrase_hits.rule_id
    LEFT JOIN category_weight ON category_weight.reason = phrase_hits.category
    WHERE coalesce(rule_weight.weight, category_weight.weight, 0) <> 0
      AND (since IS NULL OR phrase_hits.call_date >= since::DATE)
),
turning_point AS (
    SELECT
        call_id,
        max(end_ms) FILTER (category IN ('thanks_resolved', 'resolution_confirmed'))
            AS settled_ms,
        max(start_ms) FILTER (category IN ('issue_persists', 'cannot_help', 'complaint_threat',
                                           'cancel_threat', 'supervisor_request'))
            AS complained_ms
    FROM hit
    GROUP BY call_id
),
phrase AS (
    SELECT
        call_id,
        category AS reason,
        weight
            * (opening + (1 - opening) * coalesce(place, 1))
            * CASE
                WHEN weight > 0 AND end_ms <= settled_ms THEN settled
                WHEN weight < 0 AND category <> 'closing_question' AND end_ms <= complained_ms
                    THEN settled
                ELSE 1
              END AS weight,
        role, start_ms, end_ms, matched_text AS quote, rule_id
    FROM hit
    LEFT JOIN turning_point USING (call_id)
),
-- Circumstances. Each brings the share of its weight that applies (0–1) and a place to listen to.
silence AS (
    SELECT *
    FROM long_silences(since := since)
    WHERE severity IS NOT NULL OR (position = 'trailing' AND after_question)
),
stood_still AS (
    SELECT call_id, CASE WHEN announced OR kind = 'hold_music' THEN 'long_hold' ELSE 'dead_air' END
               AS reason,
           harm AS share, before_role AS role, start_ms, end_ms, before_text AS quote
    FROM silence
),
closing AS (
    SELECT call_id, max(start_ms) AS asked_ms
    FROM hit
    WHERE category = 'closing_question'
    GROUP BY call_id
),
-- how each call ends, in one pass over the segments: the customer's last words, and their reply
-- to the closing question
ending AS (
    SELECT
        call_id,
        'customer' AS role,
        max(end_ms) AS last_ms,
        max(start_ms) FILTER (role = 'agent') AS agent_ms,
        max(start_ms) FILTER (role = 'customer') AS start_ms,
        arg_max(end_ms, start_ms) FILTER (role = 'customer') AS end_ms,
        arg_max(text, start_ms) FILTER (role = 'customer') AS text,
        min(start_ms) FILTER (role = 'customer' AND start_ms >= asked_ms) AS reply_start_ms,
        arg_min(end_ms, start_ms) FILTER (role = 'customer' AND start_ms >= asked_ms)
            AS reply_end_ms,
        arg_min(text, start_ms) FILTER (role = 'customer' AND start_ms >= asked_ms) AS reply
    FROM spoken
    LEFT JOIN closing USING (call_id)
    GROUP BY call_id
),
last_words AS (
    SELECT call_id, role, start_ms, end_ms, text, agent_ms
    FROM ending
    WHERE end_ms >= last_ms - 1000 * ending_s
),
unanswered AS (
    -- the customer's last words ask, and no agent speaks after them
    SELECT call_id, role, start_ms, end_ms, text
    FROM last_words
    WHERE text LIKE '%?%' AND (agent_ms >= start_ms) IS NOT TRUE
    UNION ALL
    -- or a silence swallowed the question: the customer had to speak again, or the call ended
    SELECT call_id, 'customer', start_ms, end_ms, before_text
    FROM silence
    WHERE after_question AND (after_role IS DISTINCT FROM 'agent')
),
bad_end AS (
    SELECT last_words.call_id, last_words.role, last_words.start_ms, last_words.end_ms, text
    FROM last_words
    WHERE text LIKE '%?%' OR EXISTS (
        SELECT 1 FROM hit
        WHERE hit.call_id = last_words.call_id AND hit.role = 'customer' AND hit.weight > 0
          AND hit.end_ms > last_words.start_ms
    )
),
-- the reply that counts opens with a no or with thanks, asks nothing and complains of nothing
nothing_left AS (
    SELECT call_id, role, reply_start_ms AS start_ms, reply_end_ms AS end_ms, reply AS text
    FROM ending
    WHERE reply NOT LIKE '%?%'
      AND regexp_matches(
          lower(reply),
          '^([^\p{L}]*(ой|да|ну|та|oh|ó|ok|okay|так))*[^\p{L}]*'
          || '(нет|не|нету|нема|немає|ні|няма|no|nope|nothing|nem|nincs|semmi'
          || '|все|всё|усё|усе|хватит|достаточно|хопіць|досить|that|пока'
          || '|спасибо|дякую|дзякуй|дзякую|thank|thanks|köszönöm)([^\p{L}]|$)'
      )
      AND NOT EXISTS (
          SELECT 1 FROM hit
          WHERE hit.call_id = ending.call_id AND hit.weight > 0
            AND hit.end_ms > reply_start_ms AND hit.start_ms < reply_end_ms
      )
),
happened AS (
    FROM stood_still
    UNION ALL BY NAME
    SELECT call_id, 'hanging_question' AS reason, 1 AS share, role, start_ms, end_ms,
           text AS quote
    FROM unanswered
    UNION ALL BY NAME
    SELECT call_id, 'bad_ending' AS reason, 1 AS share, role, start_ms, end_ms, text AS quote
    FROM bad_end
    UNION ALL BY NAME
    SELECT call_id, 'nothing_left' AS reason, 1 AS share, role, start_ms, end_ms, text AS quote
    FROM nothing_left
    UNION ALL BY NAME
    SELECT call_id, 'no_closing' AS reason, 1 AS share, 'agent' AS role
    FROM call
    WHERE transcript_source IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM closing WHERE closing.call_id = call.call_id)
    UNION ALL BY NAME
    SELECT call_id, 'broken_off' AS reason, 1 AS share, disconnect_by AS role,
           duration_ms AS start_ms, duration_ms AS end_ms
    FROM call
    WHERE disconnect_by = 'system'
    UNION ALL BY NAME
    SELECT call_id, 'low_csat' AS reason, 1 AS share, 'customer' AS role,
           'csat ' || csat::INT AS quote
    FROM call
    WHERE csat <= 2
    UNION ALL BY NAME
    SELECT call_id, 'high_csat' AS reason, 1 AS share, 'customer' AS role,
           'csat ' || csat::INT AS quote
    FROM call
    WHERE csat >= 4
    UNION ALL BY NAME
    SELECT call_id, 'transferred' AS reason, 1 AS share, transferred_from AS quote
    FROM call
    WHERE transferred_from IS NOT NULL
    UNION ALL BY NAME
    SELECT chain.call_id, 'repeat_contact' AS reason, 1 AS share, 'customer' AS role,
           'after ' || previous_call_id AS quote
    FROM contact_chain(window_days := window_days, since := since::DATE - window_days::INT) AS chain
    JOIN call USING (call_id)
    WHERE previous_call_id IS NOT NULL
),
weighed AS (
    FROM phrase
    UNION ALL BY NAME
    SELECT happened.* EXCLUDE (share), share * weight AS weight
    FROM happened
    JOIN category_weight USING (reason)
    JOIN call USING (call_id)
)
SELECT call_id, reason, round(weight, 2) AS weight, role, start_ms, end_ms, quote, rule_id
FROM weighed
WHERE round(weight, 2) <> 0
QUALIFY row_number() OVER (
    PARTITION BY call_id, reason ORDER BY abs(weight) DESC, start_ms DESC NULLS LAST, rule_id
) = 1;
