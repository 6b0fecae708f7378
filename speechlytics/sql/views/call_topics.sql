-- title: Topics of a call
-- question: What is this call about?
-- grain: one row per call and topic
-- example: SELECT topic, count(*) AS calls FROM call_topics WHERE main GROUP BY topic ORDER BY calls DESC;
-- needs: topics_in
--
-- Every mention is evidence for its topic: as much as its rule's weight says (1 where the pack
-- sets none; hints less), half of that in the agent's mouth, and the less the later it is said,
-- because customers open with what they call about: half of it after half a minute. The main
-- topic has the most evidence; between equals it is the one mentioned first. A topic with less
-- than half of the main one's evidence was only mentioned and is left out, and so is one with
-- next to none. A call without a row here has no known topic.
CREATE OR REPLACE VIEW call_topics AS
FROM topics_in('phrase_hits');
