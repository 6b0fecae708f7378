-- title: Contact links
-- question: Which call of the same customer came before about the same thing, and which came after?
-- grain: one row per answered call with a known customer
-- example: SELECT call_id, previous_call_id, repeat_confirmed FROM contact_links(window_days := 14) WHERE call_date >= '2026-10-01';
-- needs: topics_in, contact_topics
--
-- A call follows an earlier one of the same customer within the window when they share a topic; a
-- call of unknown topic matches any, and so does a call that the centre makes: within the window
-- it is taken to be about what the customer had called for.
--
-- repeat_confirmed: the customer (not the centre: outbound calls do not count) called again within
-- the window. NULL while the window is open, that is while the latest call in the store is earlier
-- than the end of the window: "not yet" is never "resolved".
-- Windows are counted in hours: a day has 24 of them in every client's time zone.
--
-- A filter on call_date, or since, reaches the files: of each day (of_day) the calls around it are
-- looked at, once for every day on which the customer called. So all that is judged carries of_day,
-- and a literal day opens that day's files and those of its window. Calls are compared in order, by
-- lag() and lead(), which is linear in the calls where a self-join is not. Customers are told apart
-- by hash(customer_key), which is half the work of their text.
CREATE OR REPLACE MACRO contact_links(window_days := 7, since := NULL) AS TABLE
-- read twice, by day and by customer: taken as one, no filter could narrow it
WITH contact AS NOT MATERIALIZED (
    SELECT
        call_id, call_date, started_at, customer_key, direction, agent_id, recording_uri,
        hash(customer_key) AS customer
    FROM calls
    WHERE customer_key IS NOT NULL
      AND started_at IS NOT NULL
      AND answered IS DISTINCT FROM false  -- a caller who gave up has contacted nobody
),
own_day AS (
    SELECT DISTINCT
        customer,
        call_date AS of_day,
        -- a day more, for the hour that a change of the clock moves
        call_date - ceil(window_days)::INT - 1 AS first_day,
        call_date + ceil(window_days)::INT + 1 AS last_day
    FROM contact
    WHERE since IS NULL OR call_date >= since::DATE
),
-- who called but once within the window is neither before nor after anybody
near AS (
    SELECT
        of_day, contact.customer, call_date, call_id, started_at,
        direction IS NOT DISTINCT FROM 'outbound' AS outbound,
        row_number() OVER (PARTITION BY of_day, contact.customer ORDER BY started_at, call_id)
            AS n
    FROM own_day
    JOIN contact ON contact.customer = own_day.customer
        AND contact.call_date BETWEEN own_day.first_day AND own_day.last_day
    QUALIFY count(*) OVER (PARTITION BY of_day, contact.customer) > 1
),
hit AS (
    SELECT of_day AS call_date, phrase_hits.* EXCLUDE (call_date)
    FROM near
    JOIN phrase_hits USING (call_date, call_id)
    WHERE category IN (SELECT topic FROM contact_topics)
),
topics AS (
    SELECT call_date AS of_day, call_id, list(topic) AS topics
    FROM topics_in('hit')
    GROUP BY call_date, call_id
),
-- neighbours of any topic and of unknown topic …
of_any AS (
    SELECT
        of_day, customer, n, outbound, call_date = of_day AS own,
        coalesce(topics.topics, [NULL]) AS topics,
        lead(CASE WHEN NOT outbound THEN n END IGNORE NULLS) OVER contacts AS after_any,
        lag(CASE WHEN topics.topics IS NULL THEN n END IGNORE NULLS) OVER contacts
            AS before_unknown,
        lead(CASE WHEN topics.topics IS NULL AND NOT outbound THEN n END IGNORE NULLS)
            OVER contacts AS after_unknown
    FROM near
    LEFT JOIN topics USING (of_day, call_id)
    WINDOW contacts AS (PARTITION BY of_day, customer ORDER BY n)
),
-- … and, topic by topic, of the same
of_same AS (
    SELECT
        *,
        lag(n) OVER same AS before_same,
        lead(CASE WHEN NOT outbound THEN n END IGNORE NULLS) OVER same AS after_same
    FROM (SELECT * EXCLUDE (topics), unnest(topics) AS topic FROM of_any)
    WINDOW same AS (PARTITION BY of_day, customer, topic ORDER BY n)
),
nearest AS (
    SELECT
        of_day, customer, n,
        max(CASE WHEN topic IS NULL OR outbound THEN n - 1
                 ELSE greatest(before_same, before_unknown) END) AS before_n,
        min(CASE WHEN topic IS NULL THEN after_any
                 ELSE least(after_same, after_unknown) END) AS after_n
    FROM of_same
    WHERE own
    GROUP BY of_day, customer, n
),
linked AS (
    SELECT
        nearest.of_day AS call_date,
        this.call_id,
        {'at': earlier.started_at, 'call_id': earlier.call_id, 'call_date': earlier.call_date}
            AS earlier,
        {'at': later.started_at, 'call_id': later.call_id} AS later
    FROM nearest
    JOIN near AS this USING (of_day, customer, n)
    LEFT JOIN near AS earlier
        ON earlier.of_day = nearest.of_day AND earlier.customer = nearest.customer
        AND earlier.n = before_n
    LEFT JOIN near AS later
        ON later.of_day = nearest.of_day AND later.customer = nearest.customer
        AND later.n = after_n
),
judged AS (
    SELECT
        contact.*,
        earlier,
        later,
        earlier.at >= started_at - to_hours(24 * window_days) IS TRUE AS repeats,
        later.at <= started_at + to_hours(24 * window_days) IS TRUE AS repeated,
        (SELECT max(started_at)
         FROM calls
         JOIN (SELECT max(call_date) - 1 AS day FROM calls) AS newest
            ON calls.call_date >= newest.day)
            < started_at + to_hours(24 * window_days) AS window_open
    FROM contact
    LEFT JOIN linked USING (call_date, call_id)
    WHERE since IS NULL OR call_date >= since::DATE
)
SELECT
    call_id,
    call_date,
    started_at,
    customer_key,
    CASE WHEN repeats THEN earlier.call_id END AS previous_call_id,
    CASE WHEN repeats THEN earlier.call_date END AS previous_call_date,
    CASE WHEN repeats THEN date_diff('second', earlier.at, started_at) / 3600.0 END
        AS hours_since_previous,
    CASE WHEN repeated THEN later.call_id END AS next_call_id,
    CASE WHEN repeated THEN date_diff('second', started_at, later.at) / 3600.0 END
        AS hours_to_next,
    window_open,
    CASE WHEN NOT window_open THEN repeated END AS repeat_confirmed,
    direction,
    agent_id,
    recording_uri
FROM judged;
