"""Phrase packs and the matcher that listens with them.

    packs = load_packs()                       # the shipped packs
    hits = Matcher(packs).match(segments, duration_ms=180_000, language="ru")

A pack is TOML that QA edits (docs/rules.md); the matcher compares tokens by lemma, tolerates
garbled words, and never confuses «решили» with «не решили».
"""

from speechlytics.phrases._check import check
from speechlytics.phrases._check import try_text as test_text
from speechlytics.phrases._deeds import speaks_of_own_deed
from speechlytics.phrases._languages import languages_of
from speechlytics.phrases._matcher import CallText, Matcher
from speechlytics.phrases._packs import PackSet, load_packs, shipped_packs_folder
from speechlytics.phrases._question import is_question
from speechlytics.phrases._rules import Problem, Rule
from speechlytics.phrases._search import stem_keys, word_stems
from speechlytics.phrases._turns import TurnCounts, TurnTruth, compare_turns

__all__ = [
    "CallText",
    "Matcher",
    "PackSet",
    "Problem",
    "Rule",
    "TurnCounts",
    "TurnTruth",
    "check",
    "compare_turns",
    "is_question",
    "languages_of",
    "load_packs",
    "shipped_packs_folder",
    "speaks_of_own_deed",
    "stem_keys",
    "test_text",
    "word_stems",
]
