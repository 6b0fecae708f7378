"""Rendered speech on disk: one shard is `NAME.npy` (int16 samples, 8 kHz) and `NAME.json`.

The training loop polls the folder, so that shards may be added while it runs.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.training import voice
from models.training.voice import Word

RATE_HZ = 8000
_SUFFIXES = (".npy", ".json")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One rendered sentence: where its samples lie in the shard, and when each word is spoken."""

    text: str
    language: str
    voice: str
    offset: int
    count: int
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """Samples of many utterances in one memory-mapped array."""

    samples: npt.NDArray[np.int16]
    utterances: tuple[Utterance, ...]

    def audio(self, utterance: Utterance) -> npt.NDArray[np.float32]:
        """Float32 samples of one utterance in -1..1."""
        cut = self.samples[utterance.offset : utterance.offset + utterance.count]
        return cut.astype(np.float32) / np.float32(32768)


def write(path: Path, sentences: list[tuple[str, str]], seed: int) -> float:
    """Renders (language, sentence) pairs into the shard `path`; returns seconds of audio.

    The shard appears only when it is complete; an existing one is kept as it is.
    """
    if path.with_suffix(".json").exists():
        return 0.0
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    jobs = sorted((language, _random_voice(language, rng), text) for language, text in sentences)
    chunks: list[npt.NDArray[np.int16]] = []
    rows: list[dict[str, Any]] = []
    offset = 0
    for language, speaker, text in jobs:
        try:
            audio, words = voice.render(
                text,
                language,
                speaker,
                rate_wpm=rng.randint(*voice.CAST_RATE_WPM),
                pitch=rng.randint(*voice.CAST_PITCH),
                pitch_range=rng.randint(38, 62),
            )
        except voice.VoiceError:
            continue
        chunks.append(np.clip(audio * 32767, -32768, 32767).astype(np.int16))
        rows.append(
            {
                "text": text,
                "language": language,
                "voice": speaker,
                "offset": offset,
                "count": len(audio),
                "words": [(word, round(begin, 3), round(end, 3)) for word, begin, end in words],
            }
        )
        offset += len(audio)
    _publish(path, np.concatenate(chunks), rows)
    return offset / RATE_HZ


def _random_voice(language: str, rng: random.Random) -> str:
    base = rng.choices(voice.BASES[language], weights=(6, 1)[: len(voice.BASES[language])])[0]
    variant = rng.choices(voice.CAST, weights=[3 if v in ("", "f2") else 2 for v in voice.CAST])[0]
    return f"{base}+{variant}" if variant else f"{base}+"


def _publish(path: Path, samples: npt.NDArray[np.int16], rows: list[dict[str, Any]]) -> None:
    parts = [path.with_name(path.name + ".part" + suffix) for suffix in _SUFFIXES]
    np.save(parts[0], samples)
    parts[1].write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    for part, suffix in zip(parts, _SUFFIXES, strict=True):
        part.replace(path.with_suffix(suffix))


def read(path: Path) -> Shard:
    """Opens the shard `path` (without suffix); samples stay on disk until used."""
    rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    utterances = tuple(
        Utterance(
            text=row["text"],
            language=row["language"],
            voice=row["voice"],
            offset=row["offset"],
            count=row["count"],
            words=tuple((word, begin, end) for word, begin, end in row["words"]),
        )
        for row in rows
    )
    return Shard(np.load(path.with_suffix(".npy"), mmap_mode="r"), utterances)


def complete(folder: Path) -> list[Path]:
    """Finished shards of a folder, without suffix, in order of their names."""
    return sorted(
        path.with_suffix("") for path in folder.glob("*.json") if not path.stem.endswith(".part")
    )
