-- title: Consents
-- question: Do these words let the other side get on with it?
-- grain: one value per text
-- example: SELECT consents('Ну, раз так... давайте.') AS agreed;
-- needs:
--
-- A word or two that ask nothing, or a short turn with a word of consent.
CREATE OR REPLACE MACRO consents(words) AS
    CASE
        WHEN words LIKE '%?%' THEN false
        WHEN words NOT LIKE '% % %' THEN true
        WHEN words LIKE '% % % % % % %' THEN false
        ELSE regexp_matches(
            lower(words),
            '(^|[^\p{L}])(да|давай|давайте|хорошо|ладно|окей|ок|конечно|пожалуйста|добро|жду|подожду'
            || '|добре|гаразд|звичайно|чекаю|почекаю|зачекаю|так|авжеж|добра|канешне|чакаю|пачакаю'
            || '|sure|okay|ok|fine|alright|yes|yeah|go ahead|i.?ll wait|jó|rendben|oké|persze|várok|igen)'
            || '([^\p{L}]|$)'
        )
    END;
