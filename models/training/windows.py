"""Training windows: utterances placed in time, sent through a telephone line, with targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from models.training import features, line, shards
from models.training.tokenizer import Vocabulary

RATE_HZ = 8000
SHORT_S = 6.0
LONG_S = (10.0, 15.0)
_MAX_TOKENS = 110
_MIN_UTTERANCE_S = 0.25
_IGNORED = -1

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mix:
    """How windows are made up; all shares are probabilities."""

    languages: dict[str, float]
    no_speech: float = 0.06
    no_timestamps: float = 0.3
    previous_text: float = 0.06
    telephone: float = 0.75
    cropped: float = 0.08
    music_gap: float = 0.06
    wrong_input: float = 0.05


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance, or a stretch of whole words of it: samples, token ids and token times."""

    audio: Samples
    ids: npt.NDArray[np.int64]
    times_s: npt.NDArray[np.float32]


@dataclass(slots=True)
class Window:
    """Audio of one window and what is said in it, as (start second, utterance) pairs."""

    audio: Samples
    language: str
    segments: list[tuple[float, Spoken]] = field(default_factory=list)
    cut_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one step. `alignments` rows: item, input position, start second, end second."""

    mel: torch.Tensor
    frames: torch.Tensor
    inputs: torch.Tensor
    labels: torch.Tensor
    alignments: torch.Tensor
    spoken: list[list[int]]


class Library:
    """All utterances of the shards of one folder, with token ids and times, by language."""

    def __init__(self, folder: Path, vocabulary: Vocabulary) -> None:
        self._folder = folder
        self._vocabulary = vocabulary
        self._known: dict[Path, int] = {}
        self._shards: list[shards.Shard] = []
        self._index: dict[str, list[tuple[int, int]]] = {}
        self._ids: list[list[npt.NDArray[np.int16]]] = []
        self._times: list[list[npt.NDArray[np.float32]]] = []
        names = vocabulary.tokenizer.get_vocab()
        self._opens_word = np.zeros(vocabulary.size, bool)
        self._opens_word[[index for token, index in names.items() if token[:1] == "Ġ"]] = True
        self.poll()

    def poll(self) -> int:
        """Takes in new shards and drops removed ones; returns how many utterances there are now."""
        present = shards.complete(self._folder)
        for path in present:
            if path not in self._known:
                self._known[path] = len(self._shards)
                self._add(shards.read(path))
        gone = {number for path, number in self._known.items() if path not in present}
        for language, rows in self._index.items() if gone else ():
            self._index[language] = [row for row in rows if row[0] not in gone]
        return sum(len(rows) for rows in self._index.values())

    def _add(self, shard: shards.Shard) -> None:
        number = len(self._shards)
        self._shards.append(shard)
        texts = [" " + utterance.text for utterance in shard.utterances]
        coded = self._vocabulary.tokenizer.encode_batch(texts, add_special_tokens=False)
        self._ids.append([np.array(code.ids, np.int16) for code in coded])
        self._times.append(
            [
                token_times(utterance, code.offsets)
                for utterance, code in zip(shard.utterances, coded, strict=True)
            ]
        )
        for row, utterance in enumerate(shard.utterances):
            short = utterance.count < _MIN_UTTERANCE_S * RATE_HZ
            if not short and len(coded[row].ids) <= _MAX_TOKENS and utterance.count < 95_000:
                self._index.setdefault(utterance.language, []).append((number, row))

    def draw(self, language: str, rng: np.random.Generator, crop: float) -> Spoken:
        """A random utterance; with probability `crop` only a stretch of its words."""
        rows = self._index[language]
        number, row = rows[int(rng.integers(len(rows)))]
        shard = self._shards[number]
        audio = shard.audio(shard.utterances[row])
        whole = Spoken(audio, self._ids[number][row].astype(np.int64), self._times[number][row])
        return self._cropped(whole, rng) if rng.random() < crop else whole

    def _cropped(self, whole: Spoken, rng: np.random.Generator) -> Spoken:
        opens = np.flatnonzero(self._opens_word[whole.ids])
        if len(opens) < 3:
            return whole
        first, last = sorted(rng.choice(len(opens), 2, replace=False))
        begin = int(opens[first])
        end = int(opens[last + 1]) if last + 1 < len(opens) else len(whole.ids)
        start_s, end_s = float(whole.times_s[begin, 0]), float(whole.times_s[end - 1, 1])
        audio = whole.audio[int(start_s * RATE_HZ) : int(end_s * RATE_HZ) + 1]
        return Spoken(audio, whole.ids[begin:end], whole.times_s[begin:end] - np.float32(start_s))


def token_times(
    utterance: shards.Utterance, offsets: list[tuple[int, int]]
) -> npt.NDArray[np.float32]:
    """Start and end second of every token, (n, 2), spread over its word by letters.

    `offsets` count in `" " + text`.
    """
    spans: list[tuple[int, int, float, float]] = []
    at = 0
    for word, start_s, end_s in utterance.words:
        begin = utterance.text.index(word, at)
        at = begin + len(word)
        spans.append((begin, at, start_s, end_s))
    times = np.zeros((len(offsets), 2), np.float32)
    word_index = 0
    for row, (first_place, last_place) in enumerate(offsets):
        first, last = max(0, first_place - 1), max(0, last_place - 1)
        while word_index + 1 < len(spans) and (first + last) / 2 >= spans[word_index + 1][0]:
            word_index += 1
        begin, end, start_s, end_s = spans[word_index]
        per_letter = (end_s - start_s) / max(1, end - begin)
        times[row, 0] = start_s + per_letter * min(end - begin, max(0, first - begin))
        times[row, 1] = start_s + per_letter * min(end - begin, max(0, last - begin))
    return times


class Windows:
    """Draws batches; two processes with the same `pace` seed draw windows of the same length."""

    def __init__(self, library: Library, vocabulary: Vocabulary, mix: Mix, seed: int) -> None:
        self._library = library
        self._vocabulary = vocabulary
        self._mix = mix
        self._codes = list(mix.languages)
        self._shares = np.array(list(mix.languages.values())) / sum(mix.languages.values())
        self._rng = np.random.default_rng(seed)
        self._sorted: list[list[Window]] = []
        self._rounds = 0

    def short(self, size: int) -> Batch:
        """Windows with one utterance, up to 6 s, alike in length within the batch."""
        if not self._sorted:
            drawn = sorted(
                (self._window(SHORT_S, many=False) for _ in range(size * 4)), key=_length
            )
            self._rounds += 1
            order = np.random.default_rng(self._rounds).permutation(4)
            self._sorted = [drawn[k * size : (k + 1) * size] for k in order]
        return self._batch(self._sorted.pop(), SHORT_S)

    def long(self, size: int, max_s: float) -> Batch:
        """Windows with several utterances and pauses, up to `max_s`."""
        return self._batch([self._window(max_s, many=True) for _ in range(size)], max_s)

    def _window(self, max_s: float, *, many: bool) -> Window:
        rng = self._rng
        language = self._codes[int(rng.choice(len(self._codes), p=self._shares))]
        if rng.random() < self._mix.no_speech:
            return Window(wordless(rng.uniform(0.5, max_s), rng), language)
        window = self._placed(language, max_s, many=many)
        window.audio = self._through_line(window.audio)
        return window

    def _placed(self, language: str, max_s: float, *, many: bool) -> Window:
        rng, crop = self._rng, self._mix.cropped
        audio = np.zeros(int(max_s * RATE_HZ), np.float32)
        window = Window(audio, language)
        at_s = 0.0 if rng.random() < 0.3 else min(1.0, float(rng.exponential(0.25)))
        end_s = at_s
        while True:
            spoken = self._library.draw(language, rng, crop)
            length_s = len(spoken.audio) / RATE_HZ
            if at_s + length_s > max_s - 0.05:
                if not window.segments:
                    if length_s + 0.1 > max_s:
                        continue
                    at_s = float(rng.uniform(0, max_s - length_s - 0.1))
                else:
                    if rng.random() < 0.5 and at_s < max_s - 0.2:
                        _add(audio, spoken, at_s, rng)
                        window.cut_at_s, end_s = at_s, max_s
                    break
            _add(audio, spoken, at_s, rng)
            window.segments.append((at_s, spoken))
            at_s = end_s = at_s + length_s
            if not many or rng.random() < 0.04:
                break
            gap_s = pause_s(rng)
            if gap_s > 0.8 and rng.random() < self._mix.music_gap * 4:
                _add_music(audio, at_s, min(at_s + gap_s, max_s), rng)
            at_s += gap_s
            if at_s > max_s - 0.3:
                break
        if window.cut_at_s is None:
            tail_s = rng.uniform(0, 0.4) if rng.random() < 0.85 or not many else rng.uniform(0, 4)
            end_s = max(0.5, min(max_s, max(end_s, min(at_s, max_s)) + tail_s))
        window.audio = audio[: int(end_s * RATE_HZ)]
        return window

    def _through_line(self, audio: Samples) -> Samples:
        rng = self._rng
        if rng.random() < self._mix.telephone:
            audio = line.telephone_band(audio, rng.uniform(180, 340), rng.uniform(3250, 3650))
        peak = max(0.05, float(np.abs(audio).max()))
        audio = audio * np.float32(rng.uniform(0.15, 1.0) / peak)
        if rng.random() < 0.75:
            speech_db = 20 * np.log10(float(np.abs(audio).max()) * 0.25 + 1e-6)
            level_db = speech_db - rng.uniform(15, 45)
            audio = audio + line.noise(len(audio), level_db, rng, float(rng.choice([0, 0.5, 0.9])))
        kind = rng.random()
        if kind < 0.3:
            return line.mu_law(audio)
        return line.a_law(audio) if kind < 0.65 else audio.astype(np.float32)

    def _batch(self, windows: list[Window], max_s: float) -> Batch:
        longest = max(len(window.audio) for window in windows)
        count = min(int(max_s * RATE_HZ), (longest // 3200 + 1) * 3200)
        samples = np.zeros((len(windows), count), np.float32)
        for row, window in enumerate(windows):
            samples[row, : len(window.audio)] = window.audio[:count]
        louder = torch.rand(len(windows), 1, 1) * 0.3
        louder += (torch.rand(len(windows), 1, 1) < 0.2) * torch.rand(len(windows), 1, 1)
        mel = features.log_mel(torch.from_numpy(samples), louder)
        frames = [min(count, len(window.audio)) // features.FRAME_SAMPLES for window in windows]
        for row, used in enumerate(frames):
            self._mask(mel[row], used)
        return self._targets(windows, mel, frames)

    def _mask(self, mel: torch.Tensor, used: int) -> None:
        """Zero padding after the audio, then light SpecAugment."""
        rng = self._rng
        mean = mel[:, :used].mean()
        for _ in range(int(rng.integers(0, 3))):
            at = int(rng.integers(0, max(1, used - 20)))
            mel[:, at : at + int(rng.integers(3, 12))] = mean
        if rng.random() < 0.5:
            at = int(rng.integers(0, 72))
            mel[at : at + int(rng.integers(2, 8))] = mean
        mel[:, used:] = 0

    def _targets(self, windows: list[Window], mel: torch.Tensor, frames: list[int]) -> Batch:
        rows = [self._target(window) for window in windows]
        length = -(-max(len(inputs) for inputs, _, _ in rows) // 8) * 8
        inputs = torch.full((len(rows), length), self._vocabulary.end)
        labels = torch.full((len(rows), length), _IGNORED)
        alignments: list[tuple[float, float, float, float]] = []
        for item, (tokens, wanted, aligned) in enumerate(rows):
            inputs[item, : len(tokens)] = torch.tensor(tokens)
            labels[item, : len(wanted)] = torch.tensor(wanted)
            alignments += [(item, place, start, end) for place, start, end in aligned]
        return Batch(
            mel=mel,
            frames=torch.tensor(frames),
            inputs=inputs,
            labels=labels,
            alignments=torch.tensor(alignments, dtype=torch.float32).reshape(-1, 4),
            spoken=[[int(i) for _, s in window.segments for i in s.ids] for window in windows],
        )

    def _target(
        self, window: Window
    ) -> tuple[list[int], list[int], list[tuple[int, float, float]]]:
        """Decoder inputs, labels, and (input position, start, end) of every text token."""
        rng, vocabulary, mix = self._rng, self._vocabulary, self._mix
        silent = not window.segments
        plain = window.cut_at_s is None and rng.random() < mix.no_timestamps
        inputs: list[int] = []
        if rng.random() < mix.previous_text:
            before = self._library.draw(window.language, rng, 0.0).ids
            inputs = [vocabulary.previous, *(int(i) for i in before[-40:])]
        language = vocabulary.language(window.language)
        labels = [_IGNORED] * len(inputs)
        labels += [vocabulary.no_speech if silent else language]
        labels += [_IGNORED if silent else vocabulary.transcribe]
        inputs += [vocabulary.start, language, vocabulary.transcribe]
        if plain:
            labels.append(_IGNORED)
            inputs.append(vocabulary.no_timestamps)
        body: list[int] = []
        aligned: list[tuple[int, float, float]] = []
        for start_s, spoken in window.segments:
            if not plain:
                body.append(vocabulary.timestamp(start_s))
            for token, (begin, end) in zip(spoken.ids, spoken.times_s, strict=True):
                aligned.append((len(inputs) + len(body) - 1, start_s + begin, start_s + end))
                body.append(int(token))
            if not plain:
                body.append(vocabulary.timestamp(start_s + len(spoken.audio) / RATE_HZ))
        if silent and not plain:
            body.append(vocabulary.first_timestamp)
        if window.cut_at_s is not None:
            body.append(vocabulary.timestamp(window.cut_at_s))
        labels += [*body, vocabulary.end]
        return inputs + self._disturbed(body), labels, aligned

    def _disturbed(self, body: list[int]) -> list[int]:
        """Replaces some input text tokens at random, so that the decoder listens more."""
        rng, texts = self._rng, self._vocabulary.text_tokens
        return [
            int(rng.integers(256, texts))
            if t < texts and rng.random() < self._mix.wrong_input
            else t
            for t in body
        ]


def _length(window: Window) -> int:
    return len(window.audio)


def pause_s(rng: np.random.Generator) -> float:
    """A pause between utterances: short as after packing, natural, or long."""
    kind = rng.random()
    if kind < 0.5:
        return float(rng.uniform(0.05, 0.5))
    return float(rng.uniform(0.3, 1.2) if kind < 0.85 else rng.uniform(0.8, 3.0))


def wordless(duration_s: float, rng: np.random.Generator) -> Samples:
    """A window in which nobody speaks: digital silence, noise, hold music or line tones."""
    count = int(duration_s * RATE_HZ)
    kind = rng.random()
    if kind < 0.2:
        return np.zeros(count, np.float32)
    level_db = float(rng.uniform(-75, -25))
    sources: tuple[tuple[float, Callable[[], Samples]], ...] = (
        (0.45, lambda: line.noise(count, level_db, rng, float(rng.choice([0, 0.5, 0.9])))),
        (0.80, lambda: line.hold_music(duration_s, rng, float(rng.uniform(-40, -12)))),
        (1.00, lambda: line.signalling_tone(duration_s, rng, float(rng.uniform(-35, -10)))),
    )
    audio = next(make() for limit, make in sources if kind < limit)[:count]
    if kind >= 0.45 and rng.random() < 0.6:
        audio = audio + line.noise(len(audio), float(rng.uniform(-75, -40)), rng)
        audio = line.telephone_band(audio)
    return audio.astype(np.float32)


def _add(audio: Samples, spoken: Spoken, at_s: float, rng: np.random.Generator) -> None:
    begin = int(at_s * RATE_HZ)
    used = min(len(spoken.audio), len(audio) - begin)
    if used > 0:
        audio[begin : begin + used] += spoken.audio[:used] * np.float32(rng.uniform(0.5, 1.0))


def _add_music(audio: Samples, start_s: float, end_s: float, rng: np.random.Generator) -> None:
    tune = line.hold_music(max(0.1, end_s - start_s), rng, float(rng.uniform(-35, -18)))
    begin = int(start_s * RATE_HZ)
    used = min(len(tune), len(audio) - begin)
    audio[begin : begin + used] += tune[:used]
