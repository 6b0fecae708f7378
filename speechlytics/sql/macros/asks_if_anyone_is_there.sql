-- title: Asks if anyone is there
-- question: Do these words check whether the other side is still on the line?
-- grain: one value per text
-- example: SELECT asks_if_anyone_is_there('Алло? Вы там?') AS waits_in_vain;
-- needs:
--
-- Said after a silence it proves that the speaker was waiting and did not know why. Only the
-- beginning of a turn counts. [^\p{L}]: \W and \b of DuckDB's regular expressions know Latin only.
CREATE OR REPLACE MACRO asks_if_anyone_is_there(words) AS
    regexp_matches(
        left(lower(words), 60),
        '^[^\p{L}]*(алл?[оеё]|hall?[oó]|hello)([^\p{L}]|$)'
        || '|(вы|ты) ((ещё|еще|вообще) )?(там|тут|здесь|на линии|меня слышите|слышите|слушаете|куда)'
        || '|(чего|че|чё|что|почему|чаго|чого|чому|що|шо) (вы |ви |ж )*(молчите|молчишь|мовчите|маўчыце)'
        || '|меня слышно|слышно меня|есть кто|кто-нибудь есть|куда (вы )?(пропали|делись)'
        || '|(вы|ты) (меня )?(там )?(не )?(бросили|забыли|уснули|заснули|живы|живые|потеряли|ушли)'
        || '|(ви|вы) (мене |мяне )?(там )?(не )?(кинули|забули|заснули|живі|забыліся|забылі|заснулі|кінулі|жывыя)'
        || '|(did|have) you (fall|fallen|forget|forgotten|gone|leave|left)|elaludt|elfelejt'
        || '|(ви|ти) (ще )?(там|тут|на лінії|чуєте|мене чуєте)|мене чути|куди (ви )?(зникли|пропали)'
        || '|(вы|ты) (яшчэ )?(там|тут|на лініі|чуеце|мяне чуеце)|мяне чуваць'
        || '|(are |you )?(you )?still there|(are )?you there|anyone there|anybody there|can you hear me'
        || '|ott van|itt van|vonalban van|hall engem'
    );
