"""Steps one and two: sentences from the corpus and the word lists, then shards of speech."""

from __future__ import annotations

import json
import multiprocessing
from functools import cache
from pathlib import Path

from models.training import shards, text, voice

SHARES = {"ru": 0.60, "en": 0.27, "uk": 0.07, "hu": 0.06}
SENTENCES_PER_SHARD = 4000
SHARDS_PER_CORPUS = 10
CORPUS_SENTENCES = 14_000
DIALOGUE_WEIGHT = 8  # a few hundred real turns against thousands of composed ones


def gather(
    language: str, seed: int, dialogues: Path | None, extra_sentences: Path | None = None
) -> text.Sources:
    """Collects corpus, dialogues and extra sentences of one language, and what is held back.

    `extra_sentences` is a JSON object: language to a list of sentences.
    """
    written = written_corpus(language, seed)
    held = set(written.get("templates_held_out", [])) | set(written.get("natural_held_out", []))
    sentences = list(written.get("natural", []))
    templates = list(written.get("templates", []))
    if dialogues is not None:
        trained, held_turns = text.dialogue_turns(dialogues, language)
        sentences += text.sentences_of(trained) * DIALOGUE_WEIGHT
        held |= set(held_turns)
    if extra_sentences is not None:
        templates += json.loads(extra_sentences.read_text(encoding="utf-8")).get(language, [])
    return text.Sources(
        sentences=_speakable(sentences, language),
        templates=_speakable(templates, language),
        open=_speakable(written.get("open", []), language),
        held_back=frozenset(text.normalised(sentence) for sentence in held),
    )


@cache
def gather_cached(
    language: str, seed: int, dialogues: Path | None, extra_sentences: Path | None
) -> text.Sources:
    """`gather`, kept: composing a corpus takes longer than rendering a shard of it."""
    return gather(language, seed, dialogues, extra_sentences)


def written_corpus(
    language: str, seed: int, sentences: int = CORPUS_SENTENCES
) -> dict[str, list[str]]:
    """The written corpus of one language, by split; up to `sentences` in each training split."""
    from models.training import corpus

    return corpus.build(language, seed, sentences)


def _speakable(sentences: list[str], language: str) -> tuple[str, ...]:
    plain = (text.plain(sentence) for sentence in sentences)
    return tuple(s for s in plain if s and text.is_speakable(s, language))


def render_shards(
    folder: Path,
    first: int,
    count: int,
    dialogues: Path | None = None,
    extra_sentences: Path | None = None,
    sentences_per_shard: int = SENTENCES_PER_SHARD,
    processes: int = 2,
) -> float:
    """Writes the shards `first` … `first + count - 1`; returns seconds of new audio.

    Shards that exist are kept, so that an interrupted run goes on where it stopped.
    """
    jobs = [
        (folder, number, dialogues, extra_sentences, sentences_per_shard)
        for number in range(first, first + count)
    ]
    if processes == 1:
        return sum(_render_one(job) for job in jobs)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return sum(pool.imap_unordered(_render_one, jobs))


def _render_one(job: tuple[Path, int, Path | None, Path | None, int]) -> float:
    folder, number, dialogues, extra_sentences, size = job
    path = folder / f"shard-{number:04d}"
    if path.with_suffix(".json").exists():
        return 0.0
    pairs: list[tuple[str, str]] = []
    for language in voice.LANGUAGES:
        corpus_seed = number // SHARDS_PER_CORPUS
        sources = gather_cached(language, corpus_seed, dialogues, extra_sentences)
        generator = text.SentenceGenerator(language, sources, number)
        pairs += [(language, s) for s in generator.take(int(size * SHARES[language]))]
    return shards.write(path, pairs, number)
