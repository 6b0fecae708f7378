"""The written corpus of the demonstration model: telecom support talk in four languages.

Readable data (`ru.toml`, `en.toml`, `uk.toml`, `hu.toml`: slots, templates, clauses; `*_words.txt`:
everyday words) and a small composer. `build` draws thousands of distinct sentences from it.
The turns of the demo calls are barred from every training split, word for word, and so are the
held-out splits.
"""

from __future__ import annotations

import random
import tomllib
from functools import lru_cache
from pathlib import Path

from models.training.corpus.composer import Composer, distinct, load_grammar, normalised
from models.training.corpus.vocabulary import OpenVocabulary

__all__ = ["LANGUAGES", "SPLITS", "build", "demo_turns", "normalised"]

LANGUAGES = ("ru", "en", "uk", "hu")
SPLITS = ("templates", "templates_held_out", "natural", "natural_held_out", "open")
HELD_OUT_SENTENCES = 600
_DIALOGUES = Path(__file__).parents[3] / "pipelines" / "demo" / "dialogues"


def build(language: str, seed: int, sentences: int = 14_000) -> dict[str, list[str]]:
    """Draws the corpus of one language; the same arguments give the same text.

    Args:
        language: one of LANGUAGES.
        seed: of the random source; another seed draws other sentences from the same grammar.
        sentences: how many distinct sentences each training split gets, at most.

    Returns:
        A list of distinct sentences for each of SPLITS. "templates" and "natural" (composed
        turns) are for training, and "open" is open-vocabulary text; "templates_held_out" come
        from whole templates and "natural_held_out" are turns around clauses that no training
        split ever uses.

    Raises:
        ValueError: the language is not one of LANGUAGES.
    """
    if language not in LANGUAGES:
        raise ValueError(f"no corpus for language {language!r}; there are {', '.join(LANGUAGES)}")
    grammar = load_grammar(language)
    rng = random.Random(f"{language}-{seed}")
    composer = Composer(grammar, rng)
    vocabulary = OpenVocabulary(language, composer, grammar.numbers, grammar.slots["name"], rng)
    barred = demo_turns()
    held_out = {
        "templates_held_out": list(
            distinct(composer.held_out_template, HELD_OUT_SENTENCES, barred)
        ),
        "natural_held_out": list(distinct(composer.held_out_turn, HELD_OUT_SENTENCES, barred)),
    }
    barred |= {normalised(text) for split in held_out.values() for text in split}
    return held_out | {
        "templates": list(distinct(composer.template, sentences, barred)),
        "natural": list(distinct(composer.turn, sentences, barred)),
        "open": list(distinct(vocabulary.sentence, sentences, barred)),
    }


@lru_cache(maxsize=1)
def demo_turns() -> frozenset[str]:
    """The turns of the written demo calls, normalised; empty where the calls are not shipped."""
    turns: set[str] = set()
    for path in sorted(_DIALOGUES.glob("*.toml")):
        call = tomllib.loads(path.read_text(encoding="utf-8"))
        said = (turn.get("agent") or turn.get("customer") for turn in call["turn"])
        turns |= {normalised(text) for text in said if text}
    return frozenset(turns)
