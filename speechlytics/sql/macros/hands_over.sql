-- title: Hands over
-- question: Do these words of an agent ask the customer something, or tell them to do something?
-- grain: one value per text
-- example: SELECT hands_over('Снимите питание с коробочки, секунд тридцать подержите.') AS their_turn;
-- needs:
--
-- Then the next word is the customer's, and a silence is the time they take. Imperatives by their
-- endings in the Slavic languages, by common verbs in English and Hungarian.
CREATE OR REPLACE MACRO hands_over(words) AS
    words LIKE '%?%'
    OR regexp_matches(
        lower(words),
        '(^|[^\p{L}])\p{L}{2,}(йте|ите|ьте|йтесь|итесь|ьтесь|йте-ка|іть|ійте|айте|жте|рте|вте|йтеся|іться|йце|іце|ыце|йцеся)([^\p{L}]|$)'
        || '|(^|[^\p{L}])(давай|смотри|глянь|скажи|нажми|включи|выключи|проверь|попробуй|зайди|дай)([^\p{L}]|$)'
        || '|(^|[^a-z])(please|press|try|check|turn|switch|unplug|plug|restart|reboot|go to|read|tell|give|open|click|tap|hold|look|enter|type|run|take your time|wait for|let me know|can you|could you)([^a-z]|$)'
        || '|(nézze|nézd|kapcsolja|kapcsold|nyomja|nyomd|mondja|mondd|kérem|húzza|húzd|indítsa|indítsd|próbálja|próbáld|olvassa|adja|add|írja|írd|nyissa|várjon|diktálja)'
    );
