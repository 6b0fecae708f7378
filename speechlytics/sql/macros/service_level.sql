-- title: Service level
-- question: What share of the calls was answered in time?
-- grain: an aggregate, one value per group
-- example: SELECT queue, service_level(answered, wait_ms, within_s := 20) AS level FROM calls GROUP BY queue;
-- needs:
--
-- Calls of which nobody knows whether they were answered are left out. An answered call without a
-- measured wait counts as answered in time only if nobody measured any wait: it is left out, too.
CREATE OR REPLACE MACRO service_level(answered, wait_ms, within_s := 180) AS
    avg(CASE
        WHEN NOT answered THEN 0.0
        WHEN answered AND wait_ms <= 1000 * within_s THEN 1.0
        WHEN answered AND wait_ms IS NOT NULL THEN 0.0
    END);
