-- title: Reason weights
-- question: How many points does each reason add to a call's unresolved score?
-- grain: one row per reason, and one per rule whose pack sets a weight of its own
-- example: SELECT reason, weight, meaning FROM reason_weights WHERE rule_id IS NULL ORDER BY weight DESC;
-- needs: contact_topics
--
-- THE one list that the score reads. A phrase hit takes the weight that its rule's pack sets and,
-- where the pack sets none (or 0), the weight of its category below. Reasons that no phrase tells
-- (kind 'circumstance') have their weight here only. Points above zero say "left unresolved",
-- points below zero are evidence of a resolution; one solid reason is one to two points.
CREATE OR REPLACE VIEW reason_weights AS
SELECT reason, NULL::VARCHAR AS rule_id, kind, weight::DOUBLE AS weight, meaning
FROM (VALUES
    -- said by the agent: what was asked for will not happen now
    ('cannot_help',            'phrase',         2.0, 'the agent cannot or may not help'),
    ('callback_promise',       'phrase',         1.0, 'somebody will call back: the matter is open'),
    ('ticket_opened',          'phrase',         0.4, 'a ticket alone is not a resolution'),
    ('technician_visit',       'phrase',         0.3, 'a visit is promised or did not help'),
    -- said by the customer: it still does not work, and what follows from it
    ('issue_persists',         'phrase',         1.8, 'the problem is still there'),
    ('repeat_contact_mention', 'phrase',         1.0, 'the customer has called about it before'),
    ('cancel_threat',          'phrase',         1.0, 'the customer wants to leave'),
    ('complaint_threat',       'phrase',         1.5, 'the customer will complain'),
    ('supervisor_request',     'phrase',         1.5, 'the customer asks for somebody else'),
    ('profanity',              'phrase',         1.0, 'insults or swearing'),
    ('sentiment_negative',     'phrase',         0.8, 'the customer sounds unhappy'),
    -- evidence that it was resolved
    ('thanks_resolved',        'phrase',       -3.0, 'the customer says it works, or thanks for it'),
    ('resolution_confirmed',   'phrase',       -2.0, 'it is confirmed that the matter is settled'),
    ('sentiment_positive',     'phrase',       -0.8, 'the customer sounds content'),
    ('refund_promise',         'phrase',       -0.5, 'money comes back: often all that was wanted'),
    ('closing_question',       'phrase',       -0.3, 'the agent asked whether anything is left'),
    -- what happened, whatever was said
    ('hanging_question',       'circumstance',   1.5, 'a question or problem got no answer'),
    ('dead_air',               'circumstance',   1.2, 'silence without a word of warning, times its harm'),
    ('long_hold',              'circumstance',   0.7, 'a long hold, times its harm'),
    ('repeat_contact',         'circumstance',   0.4, 'an earlier call about the same within the window'),
    ('broken_off',             'circumstance',   1.4, 'the line was lost, or nobody said goodbye'),
    ('bad_ending',             'circumstance',   1.0, 'the customer''s last words complain or ask'),
    ('no_closing',             'circumstance',   0.3, 'the agent never asked whether anything is left'),
    ('low_csat',               'circumstance',   1.2, 'the customer rated the call 2 or less'),
    ('transferred',            'circumstance',   0.3, 'passed on from somebody else'),
    ('nothing_left',           'circumstance', -1.0, 'asked whether anything is left, the customer said no'),
    ('high_csat',              'circumstance', -0.6, 'the customer rated the call 4 or more')
) AS defaults (reason, kind, weight, meaning)
UNION ALL
SELECT category, rule_id, 'phrase', weight::DOUBLE, 'set by pack ' || pack
FROM rules
WHERE weight <> 0
  AND category NOT IN (SELECT topic FROM contact_topics);  -- there it is evidence for the topic
