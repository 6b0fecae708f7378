-- title: Daily KPIs
-- question: How did each day go?
-- grain: one row per day
-- example: SELECT call_date, calls, service_level, unresolved_share FROM daily_kpis ORDER BY call_date DESC LIMIT 30;
-- needs: call_facts, service_level
--
-- Shares are 0–1 of the calls for which they are known.
CREATE OR REPLACE VIEW daily_kpis AS
SELECT
    call_date,
    count(*) AS calls,
    count(*) FILTER (answered) AS answered,
    count(*) FILTER (NOT answered) AS abandoned,
    count(*) FILTER (status = 'failed') AS failed,
    service_level(answered, wait_ms) AS service_level,
    avg(wait_ms) / 1000 AS avg_wait_s,
    avg(duration_ms) FILTER (status IN ('ok', 'no_speech')) / 1000 AS avg_duration_s,
    count(*) FILTER (unresolved) AS unresolved_calls,
    avg(unresolved::INT) AS unresolved_share,
    avg(repeats::INT) AS repeat_share,
    avg(repeat_confirmed::INT) AS called_again_share,
    sum(dead_air_ms) / nullif(sum(duration_ms) FILTER (dead_air_ms IS NOT NULL), 0)
        AS dead_air_share,
    sum(hold_ms) / nullif(sum(duration_ms) FILTER (hold_ms IS NOT NULL), 0) AS hold_share,
    sum(overtalk_ms) / nullif(sum(duration_ms) FILTER (overtalk_ms IS NOT NULL), 0)
        AS overtalk_share,
    avg((silence_alerts > 0)::INT) AS calls_with_alert_share,
    avg((sentiment = 'negative')::INT) AS negative_share,
    avg((sentiment = 'positive')::INT) AS positive_share,
    avg(csat) AS avg_csat
FROM call_facts
GROUP BY call_date
ORDER BY call_date;
