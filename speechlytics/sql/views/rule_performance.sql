-- title: Rule performance
-- question: Which rules can be trusted, by QA's verdicts and by what customers did next?
-- grain: one row per rule
-- example: SELECT rule_id, calls, precision, repeat_share FROM rule_performance ORDER BY calls DESC;
-- needs: contact_links, reason_weights
--
-- A rule that says "unresolved" (weight above zero) is confirmed by that verdict and refuted by
-- "resolved"; a rule below zero the other way round; one without weight is judged like the former.
-- A call's latest verdict counts; "unclear" counts for nothing. precision_random uses calls that QA
-- drew at random: targeted ones were picked because rules fired, and flatter them.
-- repeat_share: of the calls with a closed repeat window, how many customers called again.
CREATE OR REPLACE VIEW rule_performance AS
WITH weight AS (
    SELECT coalesce(rules.rule_id, hits.rule_id) AS rule_id,
           coalesce(rules.category, hits.category) AS category,
           coalesce(rules.weight, category_weight.weight, 0) AS weight
    FROM (SELECT DISTINCT rule_id, any_value(category) AS category
          FROM phrase_hits GROUP BY rule_id) AS hits
    FULL JOIN rules ON rules.rule_id = hits.rule_id
    LEFT JOIN reason_weights AS category_weight
        ON category_weight.rule_id IS NULL
        AND category_weight.reason = coalesce(rules.category, hits.category)
),
verdict AS (
    SELECT call_id,
           arg_max(verdict, reviewed_at) AS verdict,
           arg_max(sample_kind, reviewed_at) AS sample_kind
    FROM reviews
    GROUP BY call_id
),
fired AS (
    SELECT rule_id, call_id, count(*) AS hits
    FROM phrase_hits
    GROUP BY rule_id, call_id
),
judged AS (
    SELECT
        weight.rule_id,
        weight.category,
        weight.weight,
        fired.call_id,
        fired.hits,
        verdict.sample_kind,
        CASE verdict.verdict
            WHEN 'unresolved' THEN weight.weight >= 0
            WHEN 'resolved' THEN weight.weight < 0
        END AS right,
        link.repeat_confirmed
    FROM weight
    LEFT JOIN fired ON fired.rule_id = weight.rule_id
    LEFT JOIN verdict ON verdict.call_id = fired.call_id
    LEFT JOIN contact_links() AS link ON link.call_id = fired.call_id
)
SELECT
    rule_id,
    category,
    weight,
    count(call_id) AS calls,
    coalesce(sum(hits), 0)::BIGINT AS hits,
    count(*) FILTER ("right") AS confirmed,
    count(*) FILTER (NOT "right") AS refuted,
    avg("right"::INT) AS precision,
    avg("right"::INT) FILTER (sample_kind = 'random') AS precision_random,
    count(*) FILTER (repeat_confirmed) AS repeat_confirmed,
    count(*) FILTER (repeat_confirmed IS NULL AND call_id IS NOT NULL) AS repeat_open,
    avg(repeat_confirmed::INT) AS repeat_share
FROM judged
GROUP BY rule_id, category, weight
ORDER BY calls DESC, rule_id;
