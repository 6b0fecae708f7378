-- title: Says the line is bad
-- question: Does somebody say that they cannot hear the other side?
-- grain: one value per text
-- example: SELECT says_line_is_bad('Алло, вас не слышно. Повторите, алло?') AS lost;
-- needs:
CREATE OR REPLACE MACRO says_line_is_bad(words) AS
    regexp_matches(
        lower(words),
        '(не|плохо|погано|дрэнна) (слышно|слышу|слышим|чути|чутно|чую|чуваць)|(вы|вас|связь|звук) (пропад|пропал|прерыва|обрыв)'
        || '|(ви|зв.язок) (зник|пропа|перерив)|(вы|сувязь) (прапад|прапал|знік)'
        || '|(can.?t|cannot|can not|couldn.?t|barely) hear|(breaking|broke) up|lost you|nem hallom|nem hallani|megszakad|(^|[^\p{L}])(алло|hello|halló)[^\p{L}]+(алло|hello|halló)'
    );
