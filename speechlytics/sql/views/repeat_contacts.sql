-- title: Repeat contacts
-- question: Who had to call again, about what, and how long after which call?
-- grain: one row per repeat call
-- example: SELECT call_id, repeats_call_id, hours_since_previous, mention FROM repeat_contacts ORDER BY started_at DESC LIMIT 20;
-- needs: contact_chain, call_topics
--
-- Two kinds of evidence: the store holds an earlier call of the same customer about the same topic
-- within seven days (repeats_call_id), or the customer says so (mention), which also works for
-- calls that came before the store began or from another number.
CREATE OR REPLACE VIEW repeat_contacts AS
WITH mentioned AS (
    SELECT call_date, call_id, arg_min(matched_text, start_ms) AS mention, min(start_ms) AS mention_ms
    FROM phrase_hits
    WHERE category = 'repeat_contact_mention'
    GROUP BY call_date, call_id
),
chained AS (
    SELECT call_date, call_id, previous_call_id, hours_since_previous, chain_id, chain_position
    FROM contact_chain()
    WHERE contact = 'repeat'
)
SELECT
    calls.call_id,
    calls.call_date,
    calls.started_at,
    calls.customer_key,
    main.topic,
    chained.previous_call_id AS repeats_call_id,
    chained.hours_since_previous,
    chained.chain_id,
    chained.chain_position,
    mentioned.mention,
    mentioned.mention_ms,
    calls.agent_id,
    calls.recording_uri
FROM calls
LEFT JOIN chained USING (call_date, call_id)
LEFT JOIN mentioned USING (call_date, call_id)
LEFT JOIN (SELECT call_date, call_id, topic FROM call_topics WHERE main) AS main
    USING (call_date, call_id)
WHERE chained.call_id IS NOT NULL OR mentioned.call_id IS NOT NULL;
