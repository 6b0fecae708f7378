-- title: First contact resolution by day
-- question: How many first contacts settled the matter, so that nobody called again?
-- grain: one row per day
-- example: SELECT call_date, first_contacts, fcr FROM fcr_by_day ORDER BY call_date DESC LIMIT 30;
-- needs: contact_links
--
-- First contacts are calls that repeat no earlier one. Those whose repeat window is still open are
-- counted apart (still_open) and never taken for resolved; fcr is NULL until one has closed.
CREATE OR REPLACE VIEW fcr_by_day AS
SELECT
    call_date,
    count(*) AS contacts,
    count(*) FILTER (previous_call_id IS NULL) AS first_contacts,
    count(*) FILTER (previous_call_id IS NULL AND window_open) AS still_open,
    count(*) FILTER (previous_call_id IS NULL AND repeat_confirmed) AS called_again,
    count(*) FILTER (previous_call_id IS NULL AND NOT repeat_confirmed) AS resolved_first,
    avg((NOT repeat_confirmed)::INT) FILTER (previous_call_id IS NULL) AS fcr
FROM contact_links()
GROUP BY call_date
ORDER BY call_date;
