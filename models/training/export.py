"""Conversion to CTranslate2: the averaged weights fill a WhisperSpec, which is stored as int8."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ctranslate2.specs.whisper_spec import WhisperSpec

from models.training import render, tokenizer
from models.training.model import Shape

WINDOW_S = 10
_NEVER = -20.0
_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.json")

Weights = dict[str, npt.NDArray[np.float32]]


def export(checkpoint: Path, tokenizer_path: Path, target: Path, quantization: str = "int8") -> int:
    """Writes the model of `checkpoint` into the folder `target`; returns its size in bytes.

    Other files of the folder (the card) stay. The weights are the running average.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    weights = {name: value.float().numpy() for name, value in state["mean"].items()}
    shape = Shape(**state["shape"])
    vocabulary = tokenizer.load(tokenizer_path)
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _fill_encoder(spec.encoder, weights)
    _fill_decoder(spec.decoder, weights, vocabulary)
    spec.register_vocabulary(vocabulary.tokens())
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [vocabulary.tokenizer.token_to_id("Ġ")]
    spec.config.lang_ids = [vocabulary.language(code) for code in render.SHARES]
    spec.config.alignment_heads = [list(head) for head in shape.alignment_heads]
    spec.validate()
    spec.optimize(quantization=quantization)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        spec.save(scratch)
        shutil.copy(tokenizer_path, Path(scratch) / "tokenizer.json")
        for name in _FILES:
            shutil.copy(Path(scratch) / name, target / name)
    preprocessor = _preprocessor()
    (target / "preprocessor_config.json").write_text(json.dumps(preprocessor) + "\n", "utf-8")
    return sum(path.stat().st_size for path in target.iterdir())


def _preprocessor() -> dict[str, Any]:
    """What faster-whisper reads; `chunk_length` is the length of its own windows."""
    return {
        "chunk_length": WINDOW_S,
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "hop_length": 160,
        "n_fft": 400,
        "n_samples": WINDOW_S * 16000,
        "nb_max_frames": WINDOW_S * 100,
        "sampling_rate": 16000,
    }


def _fill_encoder(spec: Any, weights: Weights) -> None:
    for name, layer in (("c1", spec.conv1), ("c2", spec.conv2)):
        layer.weight = weights[f"{name}.weight"]
        layer.bias = weights[f"{name}.bias"]
    spec.position_encodings.encodings = weights["positions"]
    _norm(spec.layer_norm, weights, "lne")
    for index, layer in enumerate(spec.layer):
        _block(layer, weights, f"enc.{index}")


def _fill_decoder(spec: Any, weights: Weights, vocabulary: tokenizer.Vocabulary) -> None:
    _norm(spec.layer_norm, weights, "lnd")
    spec.position_encodings.encodings = weights["pos"]
    trained = vocabulary.trained(render.SHARES)
    rows = np.where(trained[:, None], weights["emb.weight"], np.float32(0))
    spec.embeddings.weight = rows
    spec.projection.weight = rows
    spec.projection.bias = np.where(trained, np.float32(0), np.float32(_NEVER))
    for index, layer in enumerate(spec.layer):
        name = f"dec.{index}"
        _block(layer, weights, name)
        _norm(layer.attention.layer_norm, weights, f"{name}.lnc")
        _cross_attention(layer.attention, weights, f"{name}.ca")


def _block(layer: Any, weights: Weights, name: str) -> None:
    _norm(layer.self_attention.layer_norm, weights, f"{name}.ln1")
    _self_attention(layer.self_attention, weights, f"{name}.sa")
    _norm(layer.ffn.layer_norm, weights, f"{name}.ln2")
    _linear(layer.ffn.linear_0, weights, f"{name}.f1")
    _linear(layer.ffn.linear_1, weights, f"{name}.f2")


def _norm(layer: Any, weights: Weights, name: str) -> None:
    layer.gamma, layer.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _linear(layer: Any, weights: Weights, name: str) -> None:
    layer.weight, layer.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _self_attention(layer: Any, weights: Weights, name: str) -> None:
    q, v = weights[f"{name}.q.bias"], weights[f"{name}.v.bias"]
    layer.linear[0].weight = np.concatenate([weights[f"{name}.{part}.weight"] for part in "qkv"])
    layer.linear[0].bias = np.concatenate([q, np.zeros_like(q), v])
    _linear(layer.linear[1], weights, f"{name}.o")


def _cross_attention(layer: Any, weights: Weights, name: str) -> None:
    v = weights[f"{name}.v.bias"]
    _linear(layer.linear[0], weights, f"{name}.q")
    layer.linear[1].weight = np.concatenate([weights[f"{name}.{part}.weight"] for part in "kv"])
    layer.linear[1].bias = np.concatenate([np.zeros_like(v), v])
    _linear(layer.linear[2], weights, f"{name}.o")
