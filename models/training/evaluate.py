"""Figures of an exported model, measured through faster-whisper itself on the int8 files.

Nothing that is measured here was trained on: held-out templates and turns of the corpus, new
combinations of known templates, and the labelled dialogues' held-back half, spoken on a telephone
line. Word error rates ignore case, punctuation and ё/е.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import numpy.typing as npt
import soxr
from faster_whisper import WhisperModel
from rapidfuzz.distance import Levenshtein

from models.training import line, render, shards, text, voice

RATE_HZ = 8000
EVALUATION_SEED = 977
_SET_SENTENCES = 1500
_LOOP_COMPRESSION = 2.4
_DETECTION_S = 3.0
_WORDS = (2, 14)

Samples = npt.NDArray[np.float32]
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listener:
    """A loaded model and the way it is asked."""

    model: WhisperModel
    beam_size: int = 5

    def segments(self, audio: Samples, language: str, *, words: bool = False) -> list[Any]:
        """Segments of 8 kHz audio, with faster-whisper's defaults and no context."""
        found, _ = self.model.transcribe(
            upsampled(audio),
            language=language,
            beam_size=self.beam_size,
            condition_on_previous_text=False,
            word_timestamps=words,
        )
        return list(found)


def load(folder: Path, beam_size: int = 5) -> Listener:
    """Loads the exported model for one CPU thread."""
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
    return Listener(model, beam_size)


def upsampled(audio: Samples) -> Samples:
    """8 kHz to the 16 kHz that faster-whisper takes."""
    return np.asarray(soxr.resample(audio, RATE_HZ, 16000), dtype=np.float32)


def telephone(audio: Samples, rng: np.random.Generator) -> Samples:
    """A telephone line: band, noise 30 dB below speech, A-law."""
    loud = audio * np.float32(rng.uniform(0.4, 0.9) / max(1e-3, float(np.abs(audio).max())))
    noisy = line.telephone_band(loud) + line.noise(len(loud), -46.0, rng)
    return line.a_law(noisy)


def held_back(
    language: str, dialogues: Path | None, trained: Path | None, kept: Path | None = None
) -> dict[str, list[str]]:
    """Sentence sets that training never saw.

    `trained` is a folder of shards to check against; `kept` a JSON file that holds the sets of an
    earlier call, or will.
    """
    known = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.exists() else {}
    if language not in known:
        known[language] = _drawn(language, dialogues, trained)
        if kept is not None:
            kept.write_text(json.dumps(known, ensure_ascii=False, indent=1), encoding="utf-8")
    return dict(known[language])


def _drawn(language: str, dialogues: Path | None, trained: Path | None) -> dict[str, list[str]]:
    written = render.written_corpus(language, EVALUATION_SEED, _SET_SENTENCES)
    seen: set[str] = set()
    for path in shards.complete(trained) if trained is not None else []:
        rows = shards.read(path).utterances
        seen |= {text.normalised(row.text) for row in rows if row.language == language}
    sets = {
        "new combinations": written["templates"],
        "new templates": written["templates_held_out"],
        "composed turns": written["natural_held_out"],
    }
    if dialogues is not None:
        sets["dialogue turns"] = text.dialogue_turns(dialogues, language)[1]
    return {
        name: [s for s in map(text.plain, found) if _usable(s, language, seen)]
        for name, found in sets.items()
    }


def _usable(sentence: str, language: str, seen: set[str]) -> bool:
    fits = _WORDS[0] <= len(sentence.split()) <= _WORDS[1]
    return fits and text.is_speakable(sentence, language) and text.normalised(sentence) not in seen


def spoken(
    sentence: str, language: str, rng: random.Random, voices: tuple[str, ...]
) -> tuple[Samples, tuple[voice.Word, ...]]:
    """One sentence in a random voice of `voices`."""
    name = f"{voice.BASES[language][0]}+{rng.choice(voices)}"
    return voice.render(sentence, language, name, rng.randint(150, 185), rng.randint(42, 58))


def error_rates(
    listener: Listener,
    sentences: Iterable[str],
    language: str,
    voices: tuple[str, ...] = voice.CAST,
) -> Figures:
    """Word and character error rates (per cent) of single sentences on a telephone line."""
    rng, line_rng = random.Random(f"{EVALUATION_SEED}-{language}"), np.random.default_rng(5)
    wanted: list[str] = []
    heard: list[str] = []
    loops = 0
    for sentence in sentences:
        audio, _ = spoken(sentence, language, rng, voices)
        margin = np.zeros(int(line_rng.uniform(0.1, 0.4) * RATE_HZ), np.float32)
        found = listener.segments(
            telephone(np.concatenate([margin, audio, margin]), line_rng), language
        )
        loops += any(segment.compression_ratio > _LOOP_COMPRESSION for segment in found)
        wanted.append(text.normalised(sentence))
        heard.append(text.normalised(" ".join(segment.text for segment in found)))
    return {
        "n": len(wanted),
        "wer": round(100 * float(jiwer.wer(wanted, heard)), 1),
        "cer": round(100 * float(jiwer.cer(wanted, heard)), 1),
        "loops": loops,
    }


def detection(listener: Listener, sentences: Iterable[str], language: str) -> Figures:
    """Share (per cent) of utterances of 3 s and more whose language is found."""
    rng, line_rng = random.Random(EVALUATION_SEED), np.random.default_rng(6)
    right = total = 0
    for sentence in sentences:
        audio, _ = spoken(sentence, language, rng, voice.CAST)
        if len(audio) >= _DETECTION_S * RATE_HZ:
            found = listener.model.detect_language(upsampled(telephone(audio, line_rng)))
            right += found[0] == language
            total += 1
    return {"n": total, "right": round(100 * right / max(1, total), 1)}


def calls(
    listener: Listener, sentences: list[str], language: str, count: int, length: int = 10
) -> Figures:
    """Ten-sentence calls with pauses: error rate, and word and segment times against known ones."""
    rng, line_rng = random.Random(f"calls-{language}"), np.random.default_rng(8)
    wanted: list[str] = []
    heard: list[str] = []
    word_errors: list[float] = []
    start_errors: list[float] = []
    for _ in range(count):
        chosen = rng.sample(sentences, min(length, len(sentences)))
        audio, words, starts = _call(chosen, language, rng)
        found = listener.segments(telephone(audio, line_rng), language, words=True)
        wanted.append(text.normalised(" ".join(chosen)))
        heard.append(text.normalised(" ".join(segment.text for segment in found)))
        said = [(w.word, w.start) for segment in found for w in segment.words or []]
        word_errors += _time_errors(words, said)
        start_errors += [min(abs(segment.start - s) for s in starts) for segment in found]
    return {
        "n": count,
        "wer": round(100 * float(jiwer.wer(wanted, heard)), 1),
        "word_start_s": round(float(np.median(word_errors or [9.99])), 3),
        "segment_start_s": round(float(np.median(start_errors or [9.99])), 3),
    }


def _call(
    sentences: list[str], language: str, rng: random.Random
) -> tuple[Samples, list[tuple[str, float]], list[float]]:
    pieces, words, starts, at_s = [np.zeros(3200, np.float32)], [], [], 0.4
    for sentence in sentences:
        audio, own = spoken(sentence, language, rng, voice.CAST)
        pause = np.zeros(int(rng.uniform(0.4, 1.3) * RATE_HZ), np.float32)
        starts.append(at_s)
        words += [(word, at_s + start_s) for word, start_s, _ in own]
        pieces += [audio, pause]
        at_s += (len(audio) + len(pause)) / RATE_HZ
    return np.concatenate(pieces), words, starts


def _time_errors(wanted: list[tuple[str, float]], heard: list[tuple[str, float]]) -> list[float]:
    """Absolute start differences of the words that both sequences have."""
    known, said = (
        [text.normalised(word) for word, _ in words if text.normalised(word)]
        for words in (wanted, heard)
    )
    known_s, said_s = (
        [start for word, start in words if text.normalised(word)] for words in (wanted, heard)
    )
    errors: list[float] = []
    for step in Levenshtein.opcodes(known, said):
        if step.tag == "equal":
            pairs = zip(
                known_s[step.src_start : step.src_end],
                said_s[step.dest_start : step.dest_end],
                strict=True,
            )
            errors += [abs(a - b) for a, b in pairs]
    return errors


def wordless_texts(listener: Listener, language: str) -> Figures:
    """How many of the wordless recordings of 20 s came back with text, by kind."""
    rng = np.random.default_rng(11)
    count = 20 * RATE_HZ
    kinds: dict[str, list[Callable[[], Samples]]] = {
        "digital silence": [lambda: np.zeros(count, np.float32)],
        "line noise": [
            lambda level=level: line.noise(count, level, rng)  # type: ignore[misc]  # bound now
            for level in (-70.0, -60.0, -50.0, -40.0, -35.0)
        ],
        "hold music": [
            lambda level=level: line.a_law(line.telephone_band(line.hold_music(20, rng, level)))  # type: ignore[misc]  # bound now
            for level in (-35.0, -30.0, -25.0, -20.0, -15.0)
        ],
        "line tones": [lambda: line.signalling_tone(20, rng) for _ in range(3)],
    }
    return {
        kind: {
            "n": len(makers),
            "with_text": sum(
                any(segment.text.strip() for segment in listener.segments(make(), language))
                for make in makers
            ),
        }
        for kind, makers in kinds.items()
    }


def measure(
    folder: Path,
    dialogues: Path | None = None,
    trained: Path | None = None,
    count: int = 40,
    languages: Iterable[str] = voice.LANGUAGES,
    kept: Path | None = None,
) -> Figures:
    """All figures of the model in `folder`; `count` sentences per set and language.

    `dialogues`, `trained` and `kept` as in `held_back`.
    """
    listener = load(folder)
    figures: Figures = {"languages": {}, "wordless": {}}
    others = tuple(v for v in voice.VARIANTS if v not in voice.CAST)
    for language in languages:
        rng = random.Random(EVALUATION_SEED)
        sets = held_back(language, dialogues, trained, kept)
        drawn = {name: rng.sample(s, min(count, len(s))) for name, s in sets.items()}
        own = {name: error_rates(listener, chosen, language) for name, chosen in drawn.items()}
        own["new templates, other voices"] = error_rates(
            listener, drawn["new templates"], language, others
        )
        long_ones = [s for s in sets["composed turns"] if len(s.split()) >= 6][:count]
        figures["languages"][language] = {
            "sentences": own,
            "calls": calls(listener, sets["new combinations"], language, max(2, count // 10)),
            "detection": detection(listener, long_ones, language),
        }
        figures["wordless"][language] = wordless_texts(listener, language)
    return figures


def scaling_row(folder: Path, sets: dict[str, dict[str, list[str]]], count: int) -> Figures:
    """Word error rates of a few held-back sentences by language: one point of the curve."""
    listener = load(folder, beam_size=1)
    row: Figures = {}
    for language, own in sets.items():
        natural = own.get("dialogue turns") or own["composed turns"]
        for label, pool in (("templates", own["new templates"]), ("natural", natural)):
            chosen = random.Random(EVALUATION_SEED).sample(pool, min(count, len(pool)))
            row[f"{language}_{label}"] = error_rates(listener, chosen, language)["wer"]
    return row
