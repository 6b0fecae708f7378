"""Whisper models of the real sizes with random weights: right in time, nonsense in words.

Layers, widths, vocabulary and the layout of special tokens are Whisper's own, so encoder,
decoder and search cost what they cost with real weights. The end token can never win: every
window runs to its length limit, which the benchmarks set alike for all contenders.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec
from tokenizers import pre_tokenizers

from models.training.tokenizer import LANGUAGE_CODES

_TEXT_TOKENS = 50257
_TIMESTAMPS = 1501
_NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of a Whisper model."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    n_mels: int = 80


SHAPES = {
    "tiny": Shape(384, 6, 4, 4),
    "base": Shape(512, 8, 6, 6),
    "small": Shape(768, 12, 12, 12),
    "turbo": Shape(1280, 20, 32, 4, 128),
}


def build(name: str, folder: Path) -> Path:
    """Write the CTranslate2 model ``name`` into ``folder`` as int8, unless it is there."""
    target = folder / name
    if (target / "model.bin").exists():
        return target
    shape = SHAPES[name]
    rng = np.random.default_rng(0)
    tokens = _tokens(shape)
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _fill(spec, shape, len(tokens), rng)
    first_timestamp = len(tokens) - _TIMESTAMPS
    spec.decoder.projection.bias = np.zeros(len(tokens), np.float32)
    spec.decoder.projection.bias[_TEXT_TOKENS:] = _NEVER
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], [220]
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in LANGUAGE_CODES]
    last = shape.decoder_layers - 1
    spec.config.alignment_heads = [[last, head] for head in range(shape.heads)]
    spec.validate()
    spec.optimize(quantization="int8")
    with tempfile.TemporaryDirectory() as scratch:
        spec.save(scratch)
        shutil.copytree(scratch, target, dirs_exist_ok=True)
    (target / "tokenizer.json").write_text(_tokenizer(tokens[:first_timestamp]), "utf-8")
    preprocessor = {"feature_size": shape.n_mels, "chunk_length": 30, "n_fft": 400}
    preprocessor |= {"hop_length": 160, "sampling_rate": 16000}
    (target / "preprocessor_config.json").write_text(json.dumps(preprocessor), "utf-8")
    return target


def _tokens(shape: Shape) -> list[str]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    text = list(alphabet)
    # Cyrillic letters in byte-level BPE's spelling: two characters each.
    letters = [_spelled(chr(code)) for code in range(ord("а"), ord("я") + 1)]
    for size, blank in product((1, 2, 3, 4), ("Ġ", "")):
        for word in product(letters, repeat=size):
            if len(text) == _TEXT_TOKENS - 1:
                break
            text.append(blank + "".join(word))
    text.append("")  # as in Whisper's own; CTranslate2 knows a multilingual model by it
    languages = [*LANGUAGE_CODES, "yue"] if shape.n_mels == 128 else list(LANGUAGE_CODES)
    specials = [
        "<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in languages),
        "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>",
        "<|notimestamps|>",
    ]  # fmt: skip
    return text + specials + [f"<|{step * 0.02:.2f}|>" for step in range(_TIMESTAMPS)]


def _spelled(letter: str) -> str:
    ((word, _),) = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(letter)
    return word


def _tokenizer(tokens: list[str]) -> str:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": index, "content": token, **flags, "special": True}
        for index, token in enumerate(tokens)
        if token.startswith("<|")
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    vocabulary = {token: index for index, token in enumerate(tokens)}
    bpe = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None}
    bpe |= {"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False}
    bpe |= {"ignore_merges": False, "vocab": vocabulary, "merges": []}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added}
    whole |= {"normalizer": None, "pre_tokenizer": level | {"use_regex": True}}
    whole |= {"post_processor": None, "decoder": level | {"use_regex": True}, "model": bpe}
    return json.dumps(whole, ensure_ascii=False)


def _fill(spec: WhisperSpec, shape: Shape, tokens: int, rng: np.random.Generator) -> None:
    width = shape.width

    def linear(layer: Any, rows: int, columns: int = width) -> None:
        scale = np.float32(columns**-0.5)
        layer.weight = rng.standard_normal((rows, columns), np.float32) * scale
        layer.bias = np.zeros(rows, np.float32)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    def block(layer: Any) -> None:
        norm(layer.self_attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * width)
        linear(layer.self_attention.linear[1], width)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * width)
        linear(layer.ffn.linear_1, width, 4 * width)

    encoder, decoder = spec.encoder, spec.decoder
    for conv, inputs in ((encoder.conv1, shape.n_mels), (encoder.conv2, width)):
        conv.weight = rng.standard_normal((width, inputs, 3), np.float32) * (3 * inputs) ** -0.5
        conv.bias = np.zeros(width, np.float32)
    encoder.position_encodings.encodings = rng.standard_normal((1500, width), np.float32)
    decoder.position_encodings.encodings = rng.standard_normal((448, width), np.float32)
    decoder.embeddings.weight = rng.standard_normal((tokens, width), np.float32)
    decoder.projection.weight = decoder.embeddings.weight
    for layer in encoder.layer:
        block(layer)
    for layer in decoder.layer:
        block(layer)
        norm(layer.attention.layer_norm)
        linear(layer.attention.linear[0], width)
        linear(layer.attention.linear[1], 2 * width)
        linear(layer.attention.linear[2], width)
    norm(encoder.layer_norm)
    norm(decoder.layer_norm)
