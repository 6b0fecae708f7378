-- title: Contact chain
-- question: Which calls are the same customer calling again about the same thing?
-- grain: one row per answered call with a known customer
-- example: SELECT call_id, contact, previous_call_id FROM contact_chain(window_days := 14) WHERE contact = 'repeat';
-- needs: contact_links, topics_in, call_topics
--
-- Calls that contact_links ties together are a chain: the first is the trigger, later ones repeat. A
-- chain is named after its trigger: the latest earlier trigger that shares a topic. It may reach
-- back for months, so all days are read (since: as if the store began there); who asks about some
-- days only, and for no chain_id, takes contact_links.
CREATE OR REPLACE MACRO contact_chain(window_days := 7, since := NULL) AS TABLE
WITH link AS (
    SELECT
        * EXCLUDE (previous_call_id, hours_since_previous),
        hash(customer_key) AS customer,
        {'at': started_at, 'call_id': call_id} AS this,
        (previous_call_date IS NOT NULL AND (since IS NULL OR previous_call_date >= since::DATE))
            AS repeats,
        CASE WHEN repeats THEN previous_call_id END AS previous_call_id,
        CASE WHEN repeats THEN hours_since_previous END AS hours_since_previous
    FROM contact_links(window_days := window_days, since := since)
),
-- most customers never call again, and each of their calls is a chain of its own
caller AS (
    SELECT call_date, call_id, customer, started_at, this, repeats
    FROM link
    SEMI JOIN (SELECT customer FROM link WHERE repeats) AS again USING (customer)
),
hit AS (
    SELECT phrase_hits.*
    FROM phrase_hits
    SEMI JOIN caller USING (call_date, call_id)
),
by_topic AS (
    SELECT call_id, max(trigger) AS trigger
    FROM (
        SELECT
            call_id,
            last_value(CASE WHEN NOT repeats THEN this END IGNORE NULLS) OVER (
                PARTITION BY customer, topic ORDER BY started_at, call_id
            ) AS trigger
        FROM caller
        JOIN (SELECT call_id, topic FROM topics_in('hit')) AS known USING (call_id)
    )
    GROUP BY call_id
),
named AS (
    SELECT
        call_id,
        started_at,
        repeats,
        coalesce(
            CASE WHEN NOT repeats THEN call_id END,
            by_topic.trigger.call_id,
            last_value(CASE WHEN NOT repeats THEN call_id END IGNORE NULLS) OVER (
                PARTITION BY customer ORDER BY started_at, call_id
            )
        ) AS chain_id
    FROM caller
    LEFT JOIN by_topic USING (call_id)
),
chained AS (
    SELECT
        call_id,
        chain_id,
        row_number() OVER chain AS chain_position,
        CASE
            WHEN repeats THEN 'repeat'
            WHEN count(*) OVER (PARTITION BY chain_id) > 1 THEN 'trigger'
        END AS contact
    FROM named
    WINDOW chain AS (PARTITION BY chain_id ORDER BY started_at, call_id)
),
topics AS (
    SELECT call_id, list(topic ORDER BY topic) AS topics
    FROM call_topics
    WHERE since IS NULL OR call_date >= since::DATE
    GROUP BY call_id
)
SELECT
    link.call_id,
    link.call_date,
    link.started_at,
    link.customer_key,
    coalesce(chain_id, link.call_id) AS chain_id,
    coalesce(chain_position, 1) AS chain_position,
    coalesce(contact, 'single') AS contact,
    topics,
    previous_call_id,
    hours_since_previous,
    next_call_id,
    hours_to_next,
    window_open,
    repeat_confirmed,
    direction,
    agent_id,
    recording_uri
FROM link
LEFT JOIN chained USING (call_id)
LEFT JOIN topics USING (call_id);
