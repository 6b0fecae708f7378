"""Makes sentences.npz: sentences that the demonstration model knows, as µ-law at 8 kHz.

    python -m tests.data.transcribe.make

Arrays: `mu_law` (all sentences end to end), `lengths`, `words` (JSON: per sentence the text and
[word, start_s, end_s] from the synthesiser, which is the truth of the word time tests).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from models.training import line, voice

SENTENCES = (
    ("Здравствуйте, у меня не работает интернет с понедельника.", "f2"),
    ("Абонентская плата составляет пятьсот рублей в месяц.", ""),
    ("Алло, вы меня слышите?", "f2"),
    ("В вашем районе авария, работы закончатся в среду.", ""),
    ("Сколько стоит тариф максимальный?", "m3"),
    ("Мы вернём вам двести рублей через полчаса.", "f4"),
    ("В Казани ведутся технические работы.", "m3"),
    ("Я оформил заявку, номер заявки пять семь семь три.", ""),
)


def main() -> None:
    """Renders every sentence and writes the file beside this script."""
    coded, truth = [], []
    for text, variant in SENTENCES:
        samples, words = voice.render(text, "ru", voice=variant, rate_wpm=165)
        banded = np.clip(line.telephone_band(samples * np.float32(0.5)), -1, 1)
        compressed = np.sign(banded) * np.log1p(255 * np.abs(banded)) / np.log1p(255.0)
        coded.append(np.round(compressed * 127).astype(np.int8))
        truth.append([text, [[word, round(a, 3), round(b, 3)] for word, a, b in words]])
    np.savez_compressed(
        Path(__file__).with_name("sentences.npz"),
        mu_law=np.concatenate(coded),
        lengths=np.array([len(part) for part in coded]),
        words=np.array(json.dumps(truth, ensure_ascii=False)),
    )


if __name__ == "__main__":
    main()
