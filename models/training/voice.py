"""Synthetic speech with exact word times, from espeak-ng through its C library.

The library and its data come from the `espeakng-loader` wheel, so that no system package is
needed. espeak-ng keeps one voice per process: calls are serialised by a lock, and rendering in
parallel needs processes.

Belarusian is left out: the packaged `be_dict` holds a few letter rules and no stress or word
list, and the result is not the language. Ukrainian's dictionary is as small, but its spelling is
close enough to its sound for the letter rules to carry it.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

LANGUAGES = ("ru", "en", "uk", "hu")
BASES: dict[str, tuple[str, ...]] = {
    "ru": ("ru",),
    "en": ("en-us", "en-gb"),
    "uk": ("uk",),
    "hu": ("hu",),
}
MALE_VARIANTS = ("m1", "m3", "m7", "Mike", "Andy", "Denis")
FEMALE_VARIANTS = ("f1", "f2", "f4", "Annie", "linda", "belinda")
VARIANTS = ("", *MALE_VARIANTS, *FEMALE_VARIANTS)
# The voices that the shipped model is trained on; generated calls should speak with these.
MALE_CAST = ("", "m3")
FEMALE_CAST = ("f2", "f4")
CAST = (*MALE_CAST, *FEMALE_CAST)
CAST_RATE_WPM = (145, 195)
CAST_PITCH = (38, 62)

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_OPTION_PHONEME_EVENTS = 1
_PARAMETER_RATE, _PARAMETER_PITCH, _PARAMETER_RANGE = 1, 3, 4
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1
_EVENT_END, _EVENT_WORD, _EVENT_CLAUSE_END, _EVENT_PHONEME = 0, 1, 5, 7
_AUDIBLE = 1e-3
_MARGIN_S = 0.02
_NOISE_SEED = 1

Word = tuple[str, float, float]
Samples = npt.NDArray[np.float32]


class VoiceError(RuntimeError):
    """espeak-ng could not be loaded, or refused a voice or a text."""


class _EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(slots=True)
class _Span:
    start_s: float
    end_s: float | None
    first_char: int
    last_char: int


@dataclass(slots=True)
class _Engine:
    espeak: Any
    rate_hz: int
    callback: Any = None
    voice: str = ""
    chunks: list[npt.NDArray[np.int16]] = field(default_factory=list)
    spans: list[_Span] = field(default_factory=list)

    def receive(self, wave: Any, count: int, events: Any) -> int:
        """Collects the samples and word spans of one synthesis callback."""
        if count > 0 and wave:
            self.chunks.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            self._note(events[index])
            index += 1
        return 0

    def _note(self, event: _Event) -> None:
        at_s = event.audio_position / 1000
        pause = event.type == _EVENT_PHONEME and bytes(event.id.string)[:1] == b"_"
        opens = event.type == _EVENT_WORD
        last = self.spans[-1] if self.spans else None
        if (
            last is not None
            and last.end_s is None
            and (opens or pause or event.type == _EVENT_CLAUSE_END)
        ):
            last.end_s = at_s
        if opens:
            first = event.text_position - 1
            self.spans.append(_Span(at_s, None, first, first + max(1, event.length)))


_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    try:
        import espeakng_loader
    except ImportError as error:
        raise VoiceError(
            "espeak-ng is not installed: pip install espeakng-loader (extra `dev` or `train`)"
        ) from error
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data_path = str(espeakng_loader.get_data_path()).encode()
    rate_hz = library.espeak_Initialize(
        _AUDIO_OUTPUT_SYNCHRONOUS, 0, data_path, _OPTION_PHONEME_EVENTS
    )
    if rate_hz <= 0:
        raise VoiceError(f"espeak-ng refused its data folder {data_path.decode()}")
    # Breathy voices draw noise from it; unset, it follows the clock.
    library.espeak_ng_SetRandSeed(ctypes.c_long(_NOISE_SEED))
    engine = _Engine(library, rate_hz)
    engine.callback = _CALLBACK(engine.receive)
    library.espeak_SetSynthCallback(engine.callback)
    return engine


def render(
    text: str,
    language: str,
    voice: str = "",
    rate_wpm: int = 165,
    pitch: int = 50,
    pitch_range: int = 50,
    rate_hz: int = 8000,
) -> tuple[Samples, tuple[Word, ...]]:
    """Speaks `text`; returns mono float32 samples (peak 0.9) and a time for every word.

    `voice` is a variant of `VARIANTS`, or `base+variant` (`en-gb+f2`) to choose the accent too.
    `rate_hz` is 8000 or 16000. Words are the whitespace-separated parts of `text`, in order;
    their start and end count in seconds from the first sample. Silence around the speech is cut
    to 20 ms.

    Raises VoiceError for an unknown language or voice and for a text without anything to say.
    """
    if language not in BASES:
        raise VoiceError(f"no voice for language {language!r}; there are {', '.join(LANGUAGES)}")
    base, _, variant = voice.rpartition("+")
    name = (base or BASES[language][0]) + (f"+{variant}" if variant else "")
    with _LOCK:
        engine = _engine()
        raw, spans = _speak(engine, text, name, rate_wpm, pitch, pitch_range)
    samples = soxr.resample(raw, engine.rate_hz, rate_hz, quality="HQ").astype(np.float32)
    audible = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    if not len(audible) or not spans:
        raise VoiceError(f"espeak-ng said nothing for {text!r} with voice {name!r}")
    first = max(0, int(audible[0] - _MARGIN_S * rate_hz))
    last = min(len(samples), int(audible[-1] + _MARGIN_S * rate_hz) + 1)
    words = _word_times(text, spans, first / rate_hz, last / rate_hz)
    cut = samples[first:last]
    return cut / np.abs(cut).max() * np.float32(0.9), words


def _speak(
    engine: _Engine, text: str, name: str, rate_wpm: int, pitch: int, pitch_range: int
) -> tuple[Samples, list[_Span]]:
    library = engine.espeak
    if name != engine.voice:
        if library.espeak_SetVoiceByName(name.encode()) != 0:
            raise VoiceError(f"espeak-ng has no voice {name!r}")
        engine.voice = name
    for parameter, value in (
        (_PARAMETER_RATE, rate_wpm),
        (_PARAMETER_PITCH, pitch),
        (_PARAMETER_RANGE, pitch_range),
    ):
        library.espeak_SetParameter(parameter, value, 0)
    engine.chunks.clear()
    engine.spans.clear()
    data = text.encode()
    status = library.espeak_Synth(
        ctypes.c_char_p(data),
        ctypes.c_size_t(len(data) + 1),
        0,
        _POSITION_CHARACTER,
        0,
        _CHARS_UTF8,
        None,
        None,
    )
    library.espeak_Synchronize()
    if status != 0 or not engine.chunks:
        raise VoiceError(f"espeak-ng said nothing for {text!r} with voice {name!r}")
    samples = np.concatenate(engine.chunks).astype(np.float32) / np.float32(32768)
    return samples, list(engine.spans)


def _word_times(text: str, spans: list[_Span], first_s: float, last_s: float) -> tuple[Word, ...]:
    """Times of the whitespace-separated words of `text` from espeak-ng's own word spans.

    espeak-ng may speak two written words as one span, or one written word as several. A word
    takes the hull of the spans that start in it; a word without any takes the share of the
    preceding span that its letters have.
    """
    tokens = _tokens(text)
    owners: list[list[_Span]] = [[] for _ in tokens]
    for span in spans:
        for index, (_, begin, end) in enumerate(tokens):
            if begin <= span.first_char < end:
                owners[index].append(span)
    words: list[Word] = []
    index = 0
    while index < len(tokens):
        group = [index]
        while group[-1] + 1 < len(tokens) and not owners[group[-1] + 1]:
            group.append(group[-1] + 1)
        own = [span for member in group for span in owners[member]]
        start_s = min((span.start_s for span in own), default=first_s)
        end_s = max((last_s if s.end_s is None else s.end_s for s in own), default=last_s)
        words += _shared([tokens[member][0] for member in group], start_s, end_s)
        index = group[-1] + 1
    return tuple(
        (word, max(0.0, start - first_s), max(0.02, min(end, last_s) - first_s))
        for word, start, end in words
    )


def _shared(words: list[str], start_s: float, end_s: float) -> list[Word]:
    letters = [len(word) for word in words]
    borders = np.cumsum([0, *letters]) / sum(letters) * max(0.02, end_s - start_s) + start_s
    return [(word, float(borders[i]), float(borders[i + 1])) for i, word in enumerate(words)]


def _tokens(text: str) -> list[tuple[str, int, int]]:
    tokens, at = [], 0
    for word in text.split():
        begin = text.index(word, at)
        at = begin + len(word)
        tokens.append((word, begin, at))
    return tokens
