"""Vocabulary of the demonstration model: a small byte-level BPE and Whisper's special tokens.

Ids: text tokens; guard merges; the empty token; end of text; start of transcript; 99 languages;
translate, transcribe, startoflm, startofprev, nospeech, notimestamps; timestamps last.

Guard merges: faster-whisper suppresses the first token of `" -"`, `" '"` and `" ♪"`. Without merges
of their own that is the bare space, and every word that begins with it would be lost.
The empty token makes CTranslate2 take the model for multilingual.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

_WHISPER_LANGUAGES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th "
    "ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr "
    "pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt "
    "haw ln ha ba jw su"
)
LANGUAGE_CODES = tuple(_WHISPER_LANGUAGES.split())
TEXT_TOKENS = 1100
TIMESTAMPS = 751
TIMESTAMP_S = 0.02
_GUARDS = ("Ġ-", "Ġ'", "Ġâ")
_SPECIALS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGE_CODES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
_LONGEST_TOKEN_BYTES = 8


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokenizer and the ids that training and conversion need."""

    tokenizer: Tokenizer
    text_tokens: int
    empty: int
    end: int
    start: int
    transcribe: int
    previous: int
    no_speech: int
    no_timestamps: int
    first_timestamp: int
    size: int

    def language(self, code: str) -> int:
        """Id of a language token."""
        return self.start + 1 + LANGUAGE_CODES.index(code)

    def timestamp(self, time_s: float) -> int:
        """Id of the timestamp token nearest to `time_s`, clamped to the last one."""
        steps = round(time_s / TIMESTAMP_S)
        return self.first_timestamp + min(TIMESTAMPS - 1, max(0, steps))

    def tokens(self) -> list[str]:
        """All tokens in order of their ids, as CTranslate2 registers them."""
        names = [""] * self.size
        for token, index in self.tokenizer.get_vocab().items():
            names[index] = token
        for step in range(TIMESTAMPS):
            names[self.first_timestamp + step] = f"<|{step * TIMESTAMP_S:.2f}|>"
        return names

    def trained(self, languages: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Which ids training ever produces or reads; the others must never win."""
        mask = np.zeros(self.size, bool)
        mask[: self.text_tokens] = True
        mask[[self.end, self.start, self.transcribe, self.previous]] = True
        mask[[self.no_speech, self.no_timestamps]] = True
        mask[[self.language(code) for code in languages]] = True
        mask[self.first_timestamp :] = True
        return mask


def train(sentences: Iterable[str], path: Path, text_tokens: int = TEXT_TOKENS) -> Vocabulary:
    """Learns the BPE from `sentences` and writes `tokenizer.json` to `path`."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=text_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
        max_token_length=_LONGEST_TOKEN_BYTES,
    )
    bpe.train_from_iterator((" " + sentence for sentence in sentences), trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_laid_out(json.loads(bpe.to_str())), ensure_ascii=False), "utf-8")
    return load(path)


def _laid_out(description: dict) -> dict:  # type: ignore[type-arg]  # free-form JSON
    model = description["model"]
    vocabulary: dict[str, int] = model["vocab"]
    for guard in _GUARDS:
        if guard not in vocabulary:
            vocabulary[guard] = len(vocabulary)
            pair = ["Ġ", guard[1:]]
            listed = model["merges"] and isinstance(model["merges"][0], list)
            model["merges"].append(pair if listed else " ".join(pair))
    first = len(vocabulary) + 1  # one id stays free for the empty token
    specials = {token: first + index for index, token in enumerate(_SPECIALS)}
    vocabulary.update(specials)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    description["added_tokens"] = [
        {"id": index, "content": token, **flags, "special": True}
        for token, index in specials.items()
    ]
    return description


def load(path: Path) -> Vocabulary:
    """Reads `tokenizer.json`; raises FileNotFoundError when there is none yet."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no tokenizer; run the `tokenizer` step first")
    tokenizer = Tokenizer.from_file(str(path))
    end = _id(tokenizer, "<|endoftext|>")
    last = _id(tokenizer, "<|notimestamps|>")
    guards = sum(1 for guard in _GUARDS if _id(tokenizer, guard) >= end - 1 - len(_GUARDS))
    return Vocabulary(
        tokenizer=tokenizer,
        text_tokens=end - 1 - guards,
        empty=end - 1,
        end=end,
        start=end + 1,
        transcribe=_id(tokenizer, "<|transcribe|>"),
        previous=_id(tokenizer, "<|startofprev|>"),
        no_speech=_id(tokenizer, "<|nospeech|>"),
        no_timestamps=last,
        first_timestamp=last + 1,
        size=last + 1 + TIMESTAMPS,
    )


def _id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no token {token!r}; run the `tokenizer` step again")
    return int(found)
