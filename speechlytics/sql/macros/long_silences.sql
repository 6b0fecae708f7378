-- title: Long silences
-- question: Where did a call stand still, how bad was that for the customer, and what was said around it?
-- grain: one row per silence or hold of min_duration_s or more
-- example: FROM long_silences(min_duration_s := 20, since := '2026-10-01') LIMIT 20;
-- needs: asks_if_anyone_is_there, asks_for_time, says_line_is_bad, consents, hands_over
--
-- severity follows length alone, and only where a customer may be waiting: dead air (an inner
-- silence that nobody announced, or a trailing one that leaves a question hanging) warns from
-- min_duration_s, alerts from alert_s, is critical from critical_s; hold music without a word of
-- warning warns from hold_music_s, an announced hold from announced_hold_s.
--
-- harm (0–1) asks whether it hurt. The situation comes first: how would the customer have felt
-- after a long time of it? Length only approaches that: 63 % of it at patience_s.
--   * "Hello? Are you there?" after it proves that the customer waited in vain;
--   * a wait that the customer asked for, or spends doing what the agent asked (agent before,
--     customer after), hurts little however long it is;
--   * words about a bad line before it say that the line was lost;
--   * silence after a statement of the agent's that the customer breaks with a question was a
--     wait too; after a question or an instruction of the agent's it is the customer's turn;
--   * silence after the customer's question is worse than after other words, and worst when the
--     agent then has nothing to offer;
--   * an announced hold is an agreement: it hurts little until it gets too long, and more when
--     it is the customer who breaks it; one that the customer consented to lasts longer.
-- context_s: how far from a silence words still belong to it. consent_s: how long before the last
-- words the customer may have asked for time («Подождите» – «Жду, не торопитесь»).
CREATE OR REPLACE MACRO long_silences(
    min_duration_s := 10, alert_s := 15, critical_s := 30,
    hold_music_s := 15, announced_hold_s := 60,
    context_s := 10, consent_s := 8, patience_s := 10, since := NULL
) AS TABLE
WITH span AS (
    SELECT *, (start_ms + end_ms) // 2 AS middle_ms
    FROM silences
    WHERE duration_ms >= 1000 * min_duration_s
      AND (since IS NULL OR call_date >= since::DATE)
),
spoken AS (
    SELECT call_date, call_id, role, start_ms, text
    FROM segments
    WHERE role <> 'ivr' AND (since IS NULL OR call_date >= since::DATE)
),
-- by the middle of the silence, so that a segment border a little inside it does no harm; only
-- calls that stand still are joined, where an ASOF join would sort every segment there is
around AS (
    SELECT
        span.call_date,
        span.call_id,
        span.silence_id,
        max(spoken.start_ms) FILTER (spoken.start_ms < middle_ms) AS before_ms,
        arg_max(text, spoken.start_ms) FILTER (spoken.start_ms < middle_ms) AS before_text,
        arg_max(role, spoken.start_ms) FILTER (spoken.start_ms < middle_ms) AS before_speaker,
        arg_min(text, spoken.start_ms) FILTER (spoken.start_ms >= middle_ms) AS after_text,
        arg_min(role, spoken.start_ms) FILTER (spoken.start_ms >= middle_ms) AS after_speaker
    FROM span
    JOIN spoken USING (call_date, call_id)
    GROUP BY span.call_date, span.call_id, span.silence_id
),
near AS (
    SELECT
        span.call_date,
        span.call_id,
        span.silence_id,
        max(hit.start_ms) FILTER (category = 'harmless_wait' AND role <> 'agent'
                                  AND hit.end_ms <= middle_ms) AS wait_asked_ms,
        bool_or(category = 'cannot_help' AND hit.start_ms >= middle_ms) AS refused_after,
        bool_or(category IN ('thanks_resolved', 'resolution_confirmed', 'sentiment_positive')
                AND hit.start_ms >= middle_ms) AS pleased_after,
        bool_or(category IN ('sentiment_negative', 'profanity', 'complaint_threat',
                             'cancel_threat', 'supervisor_request')
                AND role <> 'agent' AND hit.start_ms >= middle_ms) AS displeased_after
    FROM span
    JOIN phrase_hits AS hit
        ON hit.call_date = span.call_date
        AND hit.call_id = span.call_id
        AND hit.start_ms <= span.end_ms + 1000 * context_s
        AND hit.end_ms >= span.start_ms - 1000 * context_s
    WHERE since IS NULL OR hit.call_date >= since::DATE
    GROUP BY span.call_date, span.call_id, span.silence_id
),
-- CASE, not AND, before what reads words: AND works out both sides
placed AS (
    SELECT
        span.*,
        around.before_ms,
        around.before_text,
        around.after_text,
        coalesce(span.before_role, before_speaker) AS spoke_before,
        coalesce(span.after_role, CASE WHEN position <> 'trailing' THEN after_speaker END)
            AS spoke_after,
        -- in the customer's last words, with at most one short turn of the agent after them
        coalesce(
            kind = 'silence' AND (before_speaker <> 'agent' OR announced IS NOT TRUE)
            AND (wait_asked_ms >= before_ms - 1000 * consent_s
                 OR CASE WHEN kind = 'silence' AND before_speaker <> 'agent'
                         THEN asks_for_time(before_text) END), false
        ) AS asked_to_wait,
        coalesce(refused_after, false) AS refused_after,
        coalesce(pleased_after, false) AS pleased_after,
        coalesce(displeased_after, false) AS displeased_after,
        coalesce(CASE WHEN announced OR coalesce(span.before_role, before_speaker) = 'customer'
                      THEN consents(before_text) END, false) AS agreed_before,
        coalesce(CASE WHEN position <> 'trailing' AND after_speaker <> 'agent'
                      THEN asks_if_anyone_is_there(after_text) END, false) AS waited_in_vain,
        coalesce(CASE WHEN before_speaker = 'agent' THEN says_line_is_bad(before_text) END, false)
            AS line_lost
    FROM span
    LEFT JOIN around USING (call_date, call_id, silence_id)
    LEFT JOIN near USING (call_date, call_id, silence_id)
),
judged AS (
    SELECT
        placed.*,
        calls.agent_id,
        calls.recording_uri,
        list_filter(calls.screens, lambda shot:
            shot.start_ms <= placed.end_ms AND shot.end_ms >= placed.start_ms) AS screens,
        CASE
            WHEN asked_to_wait THEN 0.05
            WHEN line_lost THEN 0.9
            WHEN waited_in_vain AND NOT (announced AND placed.duration_ms < 1000 * announced_hold_s)
                THEN 1.0
            WHEN position = 'leading' THEN 0.05
            WHEN position = 'trailing' THEN
                CASE WHEN disconnect_by = 'system' THEN 0.9
                     WHEN after_question THEN 0.8
                     ELSE 0.05 END
            WHEN announced THEN
                CASE WHEN refused_after THEN 0.5
                     WHEN placed.duration_ms >= 1000 * announced_hold_s AND NOT agreed_before
                         THEN CASE WHEN spoke_after = 'customer' OR displeased_after THEN 0.75
                                   ELSE 0.5 END
                     WHEN waited_in_vain
                         THEN 0.2 + 0.6 * placed.duration_ms / (1000 * announced_hold_s)
                     ELSE 0.1 + 0.2 * least(placed.duration_ms / (1000 * announced_hold_s), 1) END
                * CASE WHEN thanked THEN 0.7 ELSE 1 END
            WHEN kind = 'hold_music' THEN CASE WHEN thanked THEN 0.6 ELSE 0.8 END
            WHEN spoke_before = 'customer' AND refused_after THEN 0.95
            WHEN spoke_before = 'customer' AND spoke_after = 'agent' THEN
                CASE WHEN after_question THEN 0.9 WHEN thanked THEN 0.5
                     WHEN agreed_before THEN 0.35 ELSE 0.7 END
            WHEN spoke_before = 'customer' AND spoke_after = 'customer' THEN
                CASE WHEN pleased_after THEN 0.15
                     -- asks again, or goes on with what kept them busy
                     WHEN after_question AND after_text LIKE '%?%' THEN 0.7
                     ELSE 0.3 END
            WHEN spoke_before = 'agent' AND spoke_after = 'customer' THEN
                CASE WHEN pleased_after THEN 0.05
                     WHEN hands_over(before_text)
                         THEN CASE WHEN after_question THEN 0.5 ELSE 0.15 END
                     -- the agent had said something and then nothing; the customer broke it
                     WHEN after_text LIKE '%?%' OR displeased_after THEN 0.7
                     WHEN after_question THEN 0.5
                     ELSE 0.2 END
            WHEN spoke_before = 'agent' AND spoke_after = 'agent' THEN
                CASE WHEN refused_after THEN 0.7 WHEN thanked THEN 0.3 ELSE 0.4 END
            ELSE 0.4  -- nobody knows who waited for whom: mono, or no transcript
        END AS situation
    FROM placed
    LEFT JOIN calls USING (call_date, call_id)
)
SELECT
    call_id,
    call_date,
    silence_id,
    CASE
        WHEN position = 'leading' OR (position = 'trailing' AND after_question IS NOT TRUE) THEN NULL
        WHEN announced OR (kind = 'hold_music' AND announced IS NULL) THEN
            CASE WHEN duration_ms >= 1000 * announced_hold_s THEN 'warn' END
        WHEN kind = 'hold_music' THEN CASE WHEN duration_ms >= 1000 * hold_music_s THEN 'warn' END
        WHEN duration_ms >= 1000 * critical_s THEN 'critical'
        WHEN duration_ms >= 1000 * alert_s THEN 'alert'
        WHEN duration_ms >= 1000 * min_duration_s THEN 'warn'
    END AS severity,
    round(situation * (1 - exp(-duration_ms / (1000.0 * patience_s))), 3) AS harm,
    start_ms,
    end_ms,
    duration_ms,
    kind,
    position,
    announced,
    after_question,
    thanked,
    asked_to_wait,
    waited_in_vain,
    spoke_before AS before_role,
    before_text,
    spoke_after AS after_role,
    CASE WHEN position <> 'trailing' THEN after_text END AS after_text,
    agent_id,
    recording_uri,
    screens
FROM judged
ORDER BY harm DESC, duration_ms DESC, call_id, silence_id;
