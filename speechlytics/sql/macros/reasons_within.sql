-- title: Reasons within a call
-- question: What in a call itself speaks for and against its having been left unresolved?
-- grain: one row per call and reason
-- example: SELECT call_id, reason, weight, quote FROM reasons_within(since := '2026-10-01') LIMIT 20;
-- needs: reason_weights, long_silences
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
-- call_reasons adds the one reason that lies outside: an earlier call about the same.
--
-- call_date is a key of every join and group, so that a filter on it reaches the files. DuckDB takes
-- a filter into what is read twice only where nothing else that is read twice lies between: hit and
-- ending are such, what they and their readers share is worked out anew (NOT MATERIALIZED).
CREATE OR REPLACE MACRO reasons_within(
    since := NULL, opening := 0.2, settled := 0.3, ending_s := 15
) AS TABLE
WITH call AS NOT MATERIALIZED (
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
weighed_hit AS NOT MATERIALIZED (
    SELECT
        phrase_hits.*,
        coalesce(rule_weight.weight, category_weight.weight) AS weight,
        least(1.0, phrase_hits.start_ms / nullif(call.duration_ms, 0)) AS place
    FROM phrase_hits
    JOIN call USING (call_date, call_id)
    LEFT JOIN rule_weight ON rule_weight.rule_id = phrase_hits.rule_id
    LEFT JOIN category_weight ON category_weight.reason = phrase_hits.category
    WHERE coalesce(rule_weight.weight, category_weight.weight, 0) <> 0
      AND (since IS NULL OR phrase_hits.call_date >= since::DATE)
),
hit AS MATERIALIZED (
    FROM weighed_hit
),
turning_point AS NOT MATERIALIZED (
    SELECT
        call_date,
        call_id,
        max(end_ms) FILTER (category IN ('thanks_resolved', 'resolution_confirmed'))
            AS settled_ms,
        max(start_ms) FILTER (category IN ('issue_persists', 'cannot_help', 'complaint_threat',
                                           'cancel_threat', 'supervisor_request'))
            AS complained_ms,
        max(end_ms) FILTER (role = 'customer' AND weight > 0) AS unhappy_ms
    FROM hit
    GROUP BY call_date, call_id
),
phrase AS (
    SELECT
        call_date,
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
    LEFT JOIN turning_point USING (call_date, call_id)
),
spoken AS (
    SELECT call_date, call_id, role, start_ms, end_ms, text
    FROM segments
    WHERE role <> 'ivr' AND (since IS NULL OR call_date >= since::DATE)
),
-- Circumstances. Each brings the share of its weight that applies (0–1) and a place to listen to.
-- A silence may have swallowed a question besides: the customer had to speak again, or the call
-- ended.
silence AS (
    SELECT
        call_date,
        call_id,
        start_ms,
        end_ms,
        before_text AS quote,
        unnest([
            {
                'reason': CASE WHEN announced OR kind = 'hold_music' THEN 'long_hold'
                               ELSE 'dead_air' END,
                'share': harm,
                'role': before_role
            },
            {
                'reason': CASE WHEN after_question AND after_role IS DISTINCT FROM 'agent'
                               THEN 'hanging_question' END,
                'share': 1,
                'role': 'customer'
            }
        ], recursive := true)
    FROM long_silences(since := since)
    WHERE severity IS NOT NULL OR (position = 'trailing' AND after_question)
),
closing AS NOT MATERIALIZED (
    SELECT call_date, call_id, max(start_ms) AS asked_ms
    FROM weighed_hit
    WHERE category = 'closing_question'
    GROUP BY call_date, call_id
),
-- how each call ends, in one pass over the segments: the customer's last words, and their reply
-- to the closing question
ending AS MATERIALIZED (
    SELECT
        call_date,
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
    LEFT JOIN closing USING (call_date, call_id)
    GROUP BY call_date, call_id
),
last_words AS NOT MATERIALIZED (
    SELECT call_date, call_id, role, start_ms, end_ms, text, agent_ms
    FROM ending
    WHERE end_ms >= last_ms - 1000 * ending_s
),
-- the customer's last words ask, and no agent speaks after them
unanswered AS (
    SELECT call_date, call_id, role, start_ms, end_ms, text
    FROM last_words
    WHERE text LIKE '%?%' AND (agent_ms >= start_ms) IS NOT TRUE
),
bad_end AS (
    SELECT call_date, call_id, role, start_ms, end_ms, text
    FROM last_words
    LEFT JOIN turning_point USING (call_date, call_id)
    WHERE text LIKE '%?%' OR unhappy_ms > start_ms
),
-- the reply that counts opens with a no or with thanks, asks nothing and complains of nothing
nothing_left AS (
    SELECT ending.call_date, ending.call_id, ending.role, reply_start_ms AS start_ms,
           reply_end_ms AS end_ms, reply AS text
    FROM ending
    LEFT JOIN hit AS complaint
        ON complaint.call_date = ending.call_date AND complaint.call_id = ending.call_id
        AND complaint.weight > 0
        AND complaint.end_ms > reply_start_ms AND complaint.start_ms < reply_end_ms
    WHERE complaint.call_id IS NULL
      AND reply NOT LIKE '%?%'
      AND regexp_matches(
          lower(reply),
          '^([^\p{L}]*(ой|да|ну|та|oh|ó|ok|okay|так))*[^\p{L}]*'
          || '(нет|не|нету|нема|немає|ні|няма|no|nope|nothing|nem|nincs|semmi'
          || '|все|всё|усё|усе|хватит|достаточно|хопіць|досить|that|пока'
          || '|спасибо|дякую|дзякуй|дзякую|thank|thanks|köszönöm)([^\p{L}]|$)'
      )
),
happened (call_date, call_id, reason, share, role, start_ms, end_ms, quote) AS (
    SELECT call_date, call_id, reason, share, role, start_ms, end_ms, quote
    FROM silence
    UNION ALL
    SELECT call_date, call_id, 'hanging_question', 1, role, start_ms, end_ms, text
    FROM unanswered
    UNION ALL
    SELECT call_date, call_id, 'bad_ending', 1, role, start_ms, end_ms, text
    FROM bad_end
    UNION ALL
    SELECT call_date, call_id, 'nothing_left', 1, role, start_ms, end_ms, text
    FROM nothing_left
    UNION ALL
    SELECT call_date, call_id, 'no_closing', 1, 'agent', NULL, NULL, NULL
    FROM call
    LEFT JOIN closing USING (call_date, call_id)
    WHERE transcript_source IS NOT NULL AND closing.call_id IS NULL
    UNION ALL
    SELECT call_date, call_id, 'broken_off', 1, disconnect_by, duration_ms, duration_ms, NULL
    FROM call
    WHERE disconnect_by = 'system'
    UNION ALL
    SELECT call_date, call_id, CASE WHEN csat <= 2 THEN 'low_csat' ELSE 'high_csat' END, 1,
           'customer', NULL, NULL, 'csat ' || csat::INT
    FROM call
    WHERE csat <= 2 OR csat >= 4
    UNION ALL
    SELECT call_date, call_id, 'transferred', 1, NULL, NULL, NULL, transferred_from
    FROM call
    WHERE transferred_from IS NOT NULL
),
weighed AS (
    SELECT call_date, call_id, reason, weight, role, start_ms, end_ms, quote, rule_id
    FROM phrase
    UNION ALL
    SELECT call_date, call_id, reason, share * weight, role, start_ms, end_ms, quote, NULL
    FROM happened
    JOIN category_weight USING (reason)
    JOIN (SELECT call_date, call_id FROM call) AS known USING (call_date, call_id)
)
SELECT
    call_id, call_date, reason, round(weight, 2) AS weight, role, start_ms, end_ms, quote, rule_id
FROM weighed
WHERE round(weight, 2) <> 0
QUALIFY row_number() OVER (
    PARTITION BY call_date, call_id, reason
    ORDER BY abs(weight) DESC, start_ms DESC NULLS LAST, rule_id
) = 1;
