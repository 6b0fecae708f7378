-- title: Customer sentiment of a call
-- question: How did the customer sound, and how at the end?
-- grain: one row per call with a transcript
-- example: SELECT sentiment, count(*) AS calls FROM call_sentiment GROUP BY sentiment;
-- needs:
--
-- From the customer's words only (csat stands beside it, unmixed): pleased and displeased phrases
-- are counted, the last third of the call twice, because how it ends is how it is remembered.
CREATE OR REPLACE VIEW call_sentiment AS
WITH felt AS (
    SELECT
        call_date,
        call_id,
        CASE WHEN category IN ('sentiment_positive', 'thanks_resolved', 'resolution_confirmed')
             THEN 1 ELSE -1 END AS sign,
        start_ms,
        matched_text
    FROM phrase_hits
    WHERE role IN ('customer', 'unknown')
      AND category IN (
          'sentiment_positive', 'thanks_resolved', 'resolution_confirmed',
          'sentiment_negative', 'profanity', 'complaint_threat', 'cancel_threat',
          'issue_persists', 'supervisor_request')
),
counted AS (
    SELECT
        calls.call_id,
        calls.call_date,
        calls.csat,
        count(*) FILTER (sign > 0) AS positive,
        count(*) FILTER (sign < 0) AS negative,
        coalesce(sum(sign * CASE WHEN start_ms * 3 >= duration_ms * 2 THEN 2 ELSE 1 END), 0)
            AS balance,
        arg_max(sign, start_ms) AS last_sign,
        arg_max(matched_text, start_ms) AS last_words
    FROM calls
    LEFT JOIN felt USING (call_date, call_id)
    WHERE status = 'ok' AND transcript_source IS NOT NULL
    GROUP BY calls.call_id, calls.call_date, calls.csat
)
SELECT
    call_id,
    call_date,
    CASE WHEN balance > 0 THEN 'positive' WHEN balance < 0 THEN 'negative' ELSE 'neutral' END
        AS sentiment,
    CASE WHEN last_sign > 0 THEN 'positive' WHEN last_sign < 0 THEN 'negative' ELSE 'neutral' END
        AS sentiment_at_end,
    positive,
    negative,
    last_words,
    csat
FROM counted;
