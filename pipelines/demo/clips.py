"""Generates the speech fixtures of the tests: `python -m pipelines.demo.clips`.

`tests/data/speech/`: short clean clips with the time of every word, from which tests assemble
calls at offsets they know, without a synthesiser. `tests/data/audio/`: one call in GSM 6.10, which
FFmpeg's wheels decode but cannot encode, as one file per side and with truth.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from models.training import line, voice
from pipelines.demo.dialogue import load_dialogues
from pipelines.demo.encode import write_audio
from pipelines.demo.render import CHANNELS, RATE_HZ, render_call

TESTS = Path(__file__).parents[2] / "tests" / "data"
GSM_CALL = "demo-02"
_PEAK = 0.5
_AUDIBLE = 0.005
CLIPS = (
    ("ru-01", "ru", "f2", 165, 50, "Здравствуйте, меня зовут Анна, чем могу помочь?"),
    ("ru-02", "ru", "m3", 160, 45, "У меня не работает домашний интернет со вчерашнего дня."),
    ("ru-03", "ru", "", 165, 45, "Подождите, пожалуйста, две минуты."),
    ("ru-04", "ru", "f4", 170, 55, "Верните мне, пожалуйста, пятьсот рублей."),
    ("ru-05", "ru", "f2", 150, 48, "Спасибо за ожидание."),
    ("ru-06", "ru", "m3", 180, 42, "Когда приедет мастер?"),
    ("ru-07", "ru", "", 155, 50, "Мастер приедет в пятницу после обеда."),
    ("ru-08", "ru", "f4", 175, 52, "Нет, ничего не работает."),
    ("en-01", "en", "f2", 165, 52, "Hello, my name is Emma, how can I help you?"),
    ("en-02", "en", "", 160, 45, "My home internet stopped working since yesterday."),
    ("en-03", "en", "f4", 165, 55, "Thank you for waiting."),
    ("en-04", "en", "m3", 165, 42, "I want to speak to your manager."),
)


def write_clips(folder: Path) -> None:
    """Writes the clips as 8 kHz 16-bit FLAC and their `truth.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    truth: dict[str, Any] = {}
    for name, language, variant, rate_wpm, pitch, text in CLIPS:
        samples, words = voice.render(text, language, variant, rate_wpm, pitch)
        samples = line.telephone_band(samples) * np.float32(_PEAK / 0.9)
        write_audio(samples[np.newaxis], RATE_HZ, "flac", folder / f"{name}.flac")
        loud = np.flatnonzero(np.abs(samples) > _AUDIBLE)
        truth[name] = {
            "file": f"{name}.flac",
            "language": language,
            "voice": variant,
            "text": text,
            "duration_s": round(len(samples) / RATE_HZ, 4),
            "speech_start_s": round(int(loud[0]) / RATE_HZ, 4),
            "speech_end_s": round((int(loud[-1]) + 1) / RATE_HZ, 4),
            "words": [[word, round(start, 3), round(end, 3)] for word, start, end in words],
        }
    _write_json(truth, folder / "truth.json")


def write_gsm_call(folder: Path) -> None:
    """Writes a demo call in GSM 6.10 (WAV49), one file per side, with its truth."""
    folder.mkdir(parents=True, exist_ok=True)
    dialogue = next(d for d in load_dialogues() if d.call_id == GSM_CALL)
    call = render_call(dataclasses.replace(dialogue, codec="gsm"))
    files = {role: f"gsm-call-{role}.wav" for role in CHANNELS}
    for role, channel in CHANNELS.items():
        write_audio(call.samples[[channel]], RATE_HZ, "gsm", folder / files[role])
    _write_json({"files": files, **call.truth}, folder / "gsm-call.json")


def _write_json(content: object, path: Path) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_clips(TESTS / "speech")
    write_gsm_call(TESTS / "audio")
