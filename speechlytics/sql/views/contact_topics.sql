-- title: Contact topics
-- question: Which phrase categories say what a call is about?
-- grain: one row per topic
-- example: SELECT topic, meaning FROM contact_topics ORDER BY topic;
-- needs:
CREATE OR REPLACE VIEW contact_topics AS
SELECT topic, meaning
FROM (VALUES
    ('connection_problem', 'no internet, television or signal, or a slow or breaking one'),
    ('billing_error',      'a charge, a bill or a payment the customer does not understand'),
    ('tariff_service',     'tariffs, options, what they cost and how they work'),
    ('account_access',     'passwords, personal account, code words'),
    ('ad_unsubscribe',     'unwanted advertising calls and messages'),
    ('roaming',            'use abroad'),
    ('sim_loss',           'a lost, broken or replaced SIM'),
    ('equipment',          'router, set-top box, cable, telephone'),
    ('contract',           'connect, suspend, move or end a contract; documents')
) AS topics (topic, meaning);
