-- title: KPIs by weekday and hour
-- question: At which hours of which weekdays does it go wrong?
-- grain: one row per weekday and hour of day
-- example: SELECT weekday, hour, calls, service_level FROM hourly_kpis ORDER BY service_level LIMIT 10;
-- needs: call_facts, service_level
--
-- Hours and weekdays come from started_local, the call's own wall clock (1 = Monday), whatever the
-- time zone of the client. days: how many such weekdays the store holds, to compare volumes by.
CREATE OR REPLACE VIEW hourly_kpis AS
SELECT
    isodow(started_local) AS weekday,
    hour(started_local) AS hour,
    count(DISTINCT call_date) AS days,
    count(*) AS calls,
    count(*) FILTER (answered) AS answered,
    count(*) FILTER (NOT answered) AS abandoned,
    service_level(answered, wait_ms) AS service_level,
    avg(wait_ms) / 1000 AS avg_wait_s,
    avg(duration_ms) FILTER (status IN ('ok', 'no_speech')) / 1000 AS avg_duration_s,
    avg(unresolved::INT) AS unresolved_share,
    sum(dead_air_ms) / nullif(sum(duration_ms) FILTER (dead_air_ms IS NOT NULL), 0)
        AS dead_air_share,
    avg((sentiment = 'negative')::INT) AS negative_share,
    avg((sentiment = 'positive')::INT) AS positive_share,
    avg(csat) AS avg_csat
FROM call_facts
WHERE started_local IS NOT NULL
GROUP BY ALL
ORDER BY weekday, hour;
