"""The Whisper architecture, small, with what training needs: a CTC head and visible attention."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POSITIONS = 1500
TEXT_POSITIONS = 448


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model; alignment heads are (decoder layer, head) pairs."""

    vocabulary: int
    text_tokens: int
    first_timestamp: int
    timestamps: int
    width: int = 192
    heads: int = 3
    encoder_layers: int = 3
    decoder_layers: int = 2
    mels: int = 80

    @property
    def alignment_heads(self) -> tuple[tuple[int, int], ...]:
        """The heads that guided attention trains: two of the last decoder layer."""
        return ((self.decoder_layers - 1, 0), (self.decoder_layers - 1, 1))


def sinusoids(count: int, width: int) -> Tensor:
    """Whisper's sinusoidal positions, (count, width)."""
    step = math.log(10000) / (width // 2 - 1)
    scaled = torch.arange(count)[:, None] * torch.exp(-step * torch.arange(width // 2))[None]
    return torch.cat([scaled.sin(), scaled.cos()], 1)


class Attention(nn.Module):
    """Multi-head attention with an explicit softmax: on CPU it trains faster than the fused one."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width)
        self.o = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns the output (batch, n, width) and the weights (batch, heads, n, m)."""
        source = x if memory is None else memory
        q, k, v = self._split(self.q(x)), self._split(self.k(source)), self._split(self.v(source))
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if bias is not None:
            scores += bias.to(scores.dtype)
        weights = F.softmax(scores, -1, dtype=scores.dtype)
        mixed = (weights @ v).transpose(1, 2).reshape(x.shape)
        return self.o(mixed), weights


class Block(nn.Module):
    """One pre-norm transformer layer; with `cross` it also attends to the encoder."""

    def __init__(self, width: int, heads: int, *, cross: bool) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.sa = Attention(width, heads)
        if cross:
            self.lnc = nn.LayerNorm(width)
            self.ca = Attention(width, heads)
        self.ln2 = nn.LayerNorm(width)
        self.f1 = nn.Linear(width, 4 * width)
        self.f2 = nn.Linear(4 * width, width)
        self.cross = cross

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        self_bias: Tensor | None = None,
        cross_bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the output and, with `cross`, the cross-attention weights."""
        x = x + self.sa(self.ln1(x), bias=self_bias)[0]
        weights = None
        if self.cross:
            mixed, weights = self.ca(self.lnc(x), memory, cross_bias)
            x = x + mixed
        return x + self.f2(F.gelu(self.f1(self.ln2(x)))), weights


class Whisper(nn.Module):
    """Encoder and decoder with tied embeddings, and a CTC head on the encoder for training."""

    positions: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.c1 = nn.Conv1d(shape.mels, width, 3, 1, 1)
        self.c2 = nn.Conv1d(width, width, 3, 2, 1)
        self.register_buffer("positions", sinusoids(POSITIONS, width))
        layers, heads = range(shape.encoder_layers), shape.heads
        self.enc = nn.ModuleList(Block(width, heads, cross=False) for _ in layers)
        self.lne = nn.LayerNorm(width)
        self.emb = nn.Embedding(shape.vocabulary, width)
        nn.init.normal_(self.emb.weight, 0, width**-0.5)
        first = shape.first_timestamp
        scale = (2 / width) ** 0.5
        self.emb.weight.data[first:] = sinusoids(shape.timestamps, width) * scale * 0.7
        self.pos = nn.Parameter(sinusoids(TEXT_POSITIONS, width) * scale * 0.5)
        layers = range(shape.decoder_layers)
        self.dec = nn.ModuleList(Block(width, heads, cross=True) for _ in layers)
        self.lnd = nn.LayerNorm(width)
        self.ctc = nn.Linear(width, shape.text_tokens + 1)

    def encode(
        self, mel: Tensor, padded_to: int = 0, stand_ins: int = 24
    ) -> tuple[Tensor, Tensor | None, int]:
        """Encodes mel (batch, 80, frames) as if zero-padded to `padded_to` encoder positions.

        All padded positions hold the same vector but for their position, so `stand_ins` of them,
        drawn at random and weighted in the softmax by how many they stand for, take the place of
        all. Returns the states, the attention bias for them and the count of real positions.
        """
        x = F.gelu(self.c2(F.gelu(self.c1(mel)))).transpose(1, 2)
        real = x.shape[1]
        x = x + self.positions[:real]
        bias = None
        missing = padded_to - real
        if missing > 0:
            count = min(stand_ins, missing)
            blank = F.gelu(self.c2(F.gelu(self.c1(mel.new_zeros(1, mel.shape[1], 16)))))[:, :, 4]
            edges = torch.linspace(real, padded_to, count + 1, device=mel.device)
            drawn = edges[:-1] + torch.rand(count, device=mel.device) * edges.diff()
            rows = self.positions[drawn.long().clamp(max=padded_to - 1)]
            padding = (blank + rows)[None].expand(len(x), -1, -1).to(x.dtype)
            x = torch.cat([x, padding], 1)
            bias = x.new_zeros(1, 1, 1, real + count)
            bias[..., real:] = math.log(missing / count)
        for block in self.enc:
            x, _ = block(x, self_bias=bias)
        return self.lne(x), bias, real

    def decode(
        self, tokens: Tensor, places: Tensor, memory: Tensor, cross_bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Logits (batch, n, vocabulary) and alignment-head weights (batch, heads, n, m)."""
        length = tokens.shape[1]
        hidden = torch.full((length, length), -1e4, device=tokens.device).triu(1)
        x = self.emb(tokens) + self.pos[places]
        seen: list[Tensor] = []
        for index, block in enumerate(self.dec):
            x, weights = block(x, memory, hidden, cross_bias)
            wanted = [head for layer, head in self.shape.alignment_heads if layer == index]
            if wanted:
                seen.append(weights[:, wanted])
        x = self.lnd(x)
        return x @ self.emb.weight.t().to(x.dtype), torch.cat(seen, 1)
