-- title: Asks for time
-- question: Does a customer ask the agent to wait, or say what keeps them busy?
-- grain: one value per text
-- example: SELECT asks_for_time('Погоди, салфетку сниму') AS busy;
-- needs:
--
-- The words of waiting in all five languages, and Slavic and Hungarian verbs of fetching and looking
-- in the first person. The silence that follows is the customer's own.
-- A few words may stand between, counted as words: {0,30} of letters made this ten times slower.
CREATE OR REPLACE MACRO asks_for_time(words) AS
    regexp_matches(
        lower(words),
        '(^|[^\p{L}])('
        || '(по|обо|подо|пого|подож|обож|погод)(жд|д)и(те)?(ка)?|стоп|стойте|постой(те)?|повис(и|ите|іть|і)'
        || '|(по|за)чекай(те)?|с?чакай(це)?|пачакай(це)?|стривай(те)?'
        || '|(полу?)?(секунд|минут|хвилин|хвілін)(у|ку|очку|очка|ачку|ку)|сек|момент|мгновение'
        || '|(сейчас|щас|ща|зараз|цяпер|зараз жа) ([\p{L},-]+ ){0,4}[\p{L}-]*(у|ю|усь|юсь)'
        || '|(при|по|до|за|вы|на|от|с)?(гляну|смотрю|ищу|йду|несу|стану|кручу|ткну|жму|бегу|лезу|хожу|крою|веду|беру|ключу|гружу(сь)?|пишу|зову|шукаю|дзену|вярну)'
        || '|(will |kindly |please |just )wait|hang on|hold on|one (sec|second|moment|minute)|just a (sec|second|moment|minute)|(let me|lemme|i.?ll|i will|i.m|i am) (just )?(go|get|grab|find|look|check|fetch|put|see|run|open|try|restart|reboot|turn|plug|unplug|going|getting|looking|checking|grabbing)'
        || '|bear with me|be right back|give me a (sec|second|minute|moment)'
        || '|várj(on|atok|ál)?|pillanat|pillanatot?|egy perc|hozom|keresem|megnézem|megkeresem|előveszem|nézem|mindjárt|megyek'
        || ')([^\p{L}]|$)'
    );
