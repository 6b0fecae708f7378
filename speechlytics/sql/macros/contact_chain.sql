-- title: Contact chain
-- question: Which calls are the same customer calling again about the same thing?
-- grain: one row per answered call with a known customer
-- example: SELECT call_id, contact, previous_call_id FROM contact_chain(window_days := 14) WHERE contact = 'repeat';
-- needs: call_topics
--
-- A call follows an earlier one of the same customer within the window when they share a topic; a
-- call of unknown topic matches any, and so does a call that the centre makes: within the window
-- it is taken to be about what the customer had called for. The first of a chain is the trigger, later ones repeat.
-- lag() per customer and topic instead of a self-join: linear in the calls. Customers are
-- partitioned by hash(customer_key), which is half the work of partitioning by the text.
-- A chain is named after its trigger: the latest earlier trigger that shares a topic.
--
-- repeat_confirmed: the customer (not the centre: outbound calls do not count) called again within
-- the window. NULL while the window is open, that is while the latest call in the store is earlier
-- than the end of the window: "not yet" is never "resolved".
-- Windows are counted in hours: a day has 24 of them in every client's time zone.
CREATE OR REPLACE MACRO contact_chain(window_days := 7, since := NULL) AS TABLE
WITH contact AS (
    SELECT
        call_id, call_date, started_at, customer_key, direction, agent_id, recording_uri,
        hash(customer_key) AS customer,
        {'at': started_at, 'call_id': call_id} AS this
    FROM calls
    WHERE customer_key IS NOT NULL
      AND started_at IS NOT NULL
      AND answered IS DISTINCT FROM false  -- a caller who gave up has contacted nobody
      AND (since IS NULL OR call_date >= since::DATE)
),
topics AS (
    SELECT call_id, list(topic ORDER BY topic) AS topics
    FROM call_topics
    WHERE since IS NULL OR call_date >= since::DATE
    GROUP BY call_id
),
any_topic AS (
    SELECT
        contact.*,
        topics.topics,
        max(this) OVER earlier AS earlier_any,
        min(this) FILTER (direction IS DISTINCT FROM 'outbound') OVER later AS later_any,
        max(this) FILTER (topics.topics IS NULL) OVER earlier AS earlier_unknown,
        min(this) FILTER (topics.topics IS NULL AND direction IS DISTINCT FROM 'outbound')
            OVER later AS later_unknown
    FROM contact
    LEFT JOIN topics USING (call_id)
    WINDOW
        earlier AS (PARTITION BY customer ORDER BY started_at, call_id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        later AS (PARTITION BY customer ORDER BY started_at, call_id
                  ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
),
by_topic AS (
    SELECT
        call_id,
        lag(this) OVER (PARTITION BY customer, topic ORDER BY started_at, call_id) AS earlier_same,
        min(this) FILTER (direction IS DISTINCT FROM 'outbound') OVER (
            PARTITION BY customer, topic ORDER BY started_at, call_id
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS later_same
    FROM (SELECT *, unnest(topics) AS topic FROM any_topic WHERE topics IS NOT NULL)
),
same_topic AS (
    SELECT call_id, max(earlier_same) AS earlier_same, min(later_same) AS later_same
    FROM by_topic
    GROUP BY call_id
),
linked AS (
    SELECT
        any_topic.*,
        CASE WHEN topics IS NULL OR direction = 'outbound' THEN earlier_any
             ELSE greatest(earlier_same, earlier_unknown) END AS earlier,
        CASE WHEN topics IS NULL THEN later_any
             ELSE least(later_same, later_unknown) END AS later
    FROM any_topic
    LEFT JOIN same_topic USING (call_id)
),
judged AS (
    SELECT
        *,
        earlier.at >= started_at - to_hours(24 * window_days) IS TRUE AS repeats,
        later.at <= started_at + to_hours(24 * window_days) IS TRUE AS repeated,
        (SELECT max(started_at) FROM calls WHERE since IS NULL OR call_date >= since::DATE)
            < started_at + to_hours(24 * window_days) AS window_open
    FROM linked
),
triggers AS (
    SELECT call_id, max(trigger) AS trigger
    FROM (
        SELECT
            call_id,
            max(this) FILTER (NOT repeats) OVER (
                PARTITION BY customer, topic ORDER BY started_at, call_id
            ) AS trigger
        FROM (SELECT *, unnest(coalesce(topics, [''])) AS topic FROM judged)
    )
    GROUP BY call_id
),
named AS (
    SELECT
        judged.*,
        coalesce(
            CASE WHEN NOT repeats THEN judged.call_id END,
            CASE WHEN topics IS NOT NULL THEN triggers.trigger.call_id END,
            (max(this) FILTER (NOT repeats) OVER (
                PARTITION BY customer ORDER BY started_at, call_id
            )).call_id
        ) AS chain_id
    FROM judged
    LEFT JOIN triggers USING (call_id)
)
SELECT
    call_id,
    call_date,
    started_at,
    customer_key,
    chain_id,
    row_number() OVER chain AS chain_position,
    CASE
        WHEN repeats THEN 'repeat'
        WHEN count(*) OVER (PARTITION BY chain_id) > 1 THEN 'trigger'
        ELSE 'single'
    END AS contact,
    topics,
    CASE WHEN repeats THEN earlier.call_id END AS previous_call_id,
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
FROM named
WINDOW chain AS (PARTITION BY chain_id ORDER BY started_at, call_id);
