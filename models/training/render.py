"""Steps one and two: sentences from the corpus and the word lists, then shards of speech."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

from models.training import shards, text, voice

SHARES = {"ru": 0.52, "en": 0.28, "uk": 0.10, "hu": 0.10}
SENTENCES_PER_SHARD = 4000


def gather(
    language: str, seed: int, dialogues: Path | None, extra_sentences: Path | None = None
) -> text.Sources:
    """Collects corpus, dialogues and extra sentences of one language, and what is held back.

    `extra_sentences` is a JSON object: language to a list of sentences.
    """
    written = _written_corpus(language, seed)
    held = set(written.get("templates_held_out", [])) | set(written.get("natural_held_out", []))
    sentences = [*written.get("natural", []), *written.get("open", [])]
    templates = list(written.get("templates", []))
    if dialogues is not None:
        trained, held_turns = text.dialogue_turns(dialogues, language)
        sentences += text.sentences_of(trained)
        held |= set(held_turns)
    if extra_sentences is not None:
        templates += json.loads(extra_sentences.read_text(encoding="utf-8")).get(language, [])
    return text.Sources(
        sentences=_speakable(sentences, language),
        templates=_speakable(templates, language),
        held_back=frozenset(text.normalised(sentence) for sentence in held),
    )


def _written_corpus(language: str, seed: int) -> dict[str, list[str]]:
    from models.training import corpus

    return corpus.build(language, seed)


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
        sources = gather(language, number, dialogues, extra_sentences)
        generator = text.SentenceGenerator(language, sources, number)
        pairs += [(language, s) for s in generator.take(int(size * SHARES[language]))]
    return shards.write(path, pairs, number)
