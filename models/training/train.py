"""The training loop: resumable, scheduled by wall-clock, one or several processes.

Several one-thread processes that average their gradients beat one process with several threads on
a CPU by far. With a GPU one process is enough. Losses: cross-entropy with timestamps softened over
their neighbours, CTC on the encoder, and guided attention on the alignment heads from the
synthesiser's word times.
"""

from __future__ import annotations

import csv
import datetime
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

from models.training import optimizers, render, tokenizer
from models.training.model import POSITIONS, Shape, Whisper
from models.training.windows import LONG_S, Batch, Library, Mix, Windows

CHECKPOINT = "checkpoint.pt"
CURVE = "curve.csv"
STOP = "stop"
_CURVE_COLUMNS = ("minutes", "step", "windows", "audio_h", "rate", "text", "time_s", "ctc", "align")
# Encoder positions that windows are padded to: not at all, 10 s, 15 s, 30 s; and how often.
_PADDED_TO = (0, 500, 750, POSITIONS)
_PADDED_SHARES = (0.35, 0.25, 0.1, 0.3)


@dataclass(frozen=True, slots=True)
class Plan:
    """One training run. `minutes` is its whole length, over all resumptions."""

    folder: Path
    minutes: float
    rate: float = 2.0e-3
    batch: int = 16
    rank: int = 0
    world: int = 1
    warm_start: Path | None = None
    optimizer: str = "muon"
    max_steps: int = 10**9
    save_every_s: float = 240.0
    long_share: tuple[float, float] = (0.4, 0.6)
    warm_up_steps: int = 100
    seed: int = 1
    bfloat16: bool = False
    shape: tuple[int, int, int, int] = (192, 3, 3, 2)


def new_shape(vocabulary: tokenizer.Vocabulary, sizes: tuple[int, int, int, int]) -> Shape:
    """Shape for a vocabulary; `sizes` are width, heads, encoder layers, decoder layers."""
    width, heads, encoder_layers, decoder_layers = sizes
    return Shape(
        vocabulary=vocabulary.size,
        text_tokens=vocabulary.text_tokens,
        first_timestamp=vocabulary.first_timestamp,
        timestamps=tokenizer.TIMESTAMPS,
        width=width,
        heads=heads,
        encoder_layers=encoder_layers,
        decoder_layers=decoder_layers,
    )


class Trainer:
    """State of one process of a run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # bfloat16 pays where the processor has matrix units for it; elsewhere float32 is faster.
        self.half = self.device.type == "cuda" or plan.bfloat16
        self.vocabulary = tokenizer.load(plan.folder / "tokenizer.json")
        library = Library(plan.folder / "shards", self.vocabulary)
        self.shelf = library
        torch.manual_seed(plan.seed)
        self.model = Whisper(new_shape(self.vocabulary, plan.shape))
        if plan.warm_start is not None:
            warm_start(self.model, plan.warm_start, self.vocabulary)
        self.model.to(self.device)
        self.optimizers = optimizers.make(
            self.model, plan.rate, plan.rank, plan.world, plan.optimizer
        )
        self.step = self.windows = 0
        self.audio_s = self.elapsed_s = 0.0
        self.mean = {name: v.detach().clone() for name, v in self.model.state_dict().items()}
        self._resume()
        seed = plan.seed + 1000 * plan.rank + self.step
        self.data = Windows(library, self.vocabulary, Mix(render.SHARES), seed)
        self.lengths = np.random.default_rng(plan.seed + self.step)
        torch.manual_seed(seed)
        untrained = ~torch.from_numpy(self.vocabulary.trained(render.SHARES))
        self.closed = (untrained.float() * -20.0).to(self.device)
        self.averages: dict[str, float] = {}

    def _resume(self) -> None:
        path = self.plan.folder / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["raw"])
        self.mean = state["mean"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.windows = state["step"], state["windows"]
        self.audio_s, self.elapsed_s = state["audio_s"], state["elapsed_s"]

    def save(self, name: str = CHECKPOINT) -> None:
        """Writes a checkpoint in one move, so that a reader never sees half of it."""
        state = {
            "raw": self.model.state_dict(),
            "mean": self.mean,
            "shape": asdict(self.model.shape),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "windows": self.windows,
            "audio_s": self.audio_s,
            "elapsed_s": self.elapsed_s,
        }
        path = self.plan.folder / name
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def batch(self, done: float) -> tuple[Batch, int]:
        """The next batch and the encoder positions that it is padded to; alike in all ranks."""
        early, late = self.plan.long_share
        long = self.lengths.random() < early + (late - early) * min(1.0, done / 0.67)
        longest = self.lengths.choice(LONG_S, p=(0.75, 0.25))
        padded_to = int(self.lengths.choice(_PADDED_TO, p=_PADDED_SHARES))
        if long:
            size = max(2, int(self.plan.batch * (0.45 if longest < 12 else 0.3)))
            return self.data.long(size, longest), padded_to
        return self.data.short(self.plan.batch), padded_to

    def advance(self, done: float) -> None:
        """One optimisation step."""
        batch, padded_to = self.batch(done)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss, parts = self._loss(batch, padded_to, done)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._average_gradients()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        rate = self.plan.rate * learning_rate_factor(self.step, done, self.plan.warm_up_steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
            optimizer.step()
        self.step += 1
        self.windows += len(batch.frames) * self.plan.world
        self.audio_s += float(batch.frames.sum()) * 0.01 * self.plan.world
        self._follow()
        for name, value in {**parts, "rate": rate}.items():
            old = self.averages.get(name, value)
            self.averages[name] = value if name == "rate" else 0.98 * old + 0.02 * value

    def _loss(
        self, batch: Batch, padded_to: int, done: float
    ) -> tuple[torch.Tensor, dict[str, float]]:
        device, vocabulary = self.device, self.vocabulary
        memory, bias, real = self.model.encode(batch.mel.to(device), padded_to)
        inputs = batch.inputs.to(device)
        places = torch.arange(inputs.shape[1], device=device)
        if torch.rand(()) < 0.15:  # exercises positions that only a long prompt reaches
            places = places + int(torch.randint(0, 447 - inputs.shape[1], ()))
        logits, attention = self.model.decode(inputs, places, memory, bias)
        scores = F.log_softmax(logits.float() + self.closed, -1)
        text, error_s = label_loss(scores, batch.labels.to(device), vocabulary.first_timestamp)
        ctc = self._ctc_loss(memory[:, :real], batch)
        align = alignment_loss(attention[..., :real], batch.alignments.to(device))
        loss = text + (0.5 if done < 0.4 else 0.25) * ctc + 0.3 * align
        parts = {"text": text, "time_s": error_s, "ctc": ctc, "align": align}
        return loss, {name: float(value.detach()) for name, value in parts.items()}

    def _ctc_loss(self, states: torch.Tensor, batch: Batch) -> torch.Tensor:
        scores = F.log_softmax(self.model.ctc(states).float(), -1).transpose(0, 1)
        targets = torch.tensor([i for row in batch.spoken for i in row], dtype=torch.long)
        sizes = torch.tensor([len(row) for row in batch.spoken])
        usable = ((batch.frames + 1) // 2 + 1).clamp(max=states.shape[1])
        total = F.ctc_loss(
            scores,
            targets.to(states.device),
            usable,
            sizes,
            blank=self.model.shape.text_tokens,
            reduction="sum",
            zero_infinity=True,
        )
        return total / max(1, len(targets))

    def _average_gradients(self) -> None:
        if self.plan.world == 1:
            return
        parameters = list(self.model.parameters())
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        dist.all_reduce(flat)
        flat /= self.plan.world
        at = 0
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.copy_(flat[at : at + parameter.numel()].view_as(parameter))
            at += parameter.numel()

    def _follow(self) -> None:
        """Moves the averaged weights, the ones that are shipped, towards the trained ones."""
        keep = min(0.998, (self.step + 1) / (self.step + 20))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.mean[name].lerp_(value, 1 - keep)

    def log(self) -> None:
        """Appends one row to the curve of this run."""
        row: dict[str, Any] = {
            "minutes": round(self.elapsed_s / 60, 1),
            "step": self.step,
            "windows": self.windows,
            "audio_h": round(self.audio_s / 3600, 2),
            **{name: round(value, 5) for name, value in self.averages.items()},
        }
        path = self.plan.folder / CURVE
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _CURVE_COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)


def learning_rate_factor(step: int, done: float, warm_up_steps: int) -> float:
    """Warm-up by steps, flat to 30 % of the run, then linear to 2 %."""
    return min(1.0, (step + 1) / warm_up_steps) * max(0.02, min(1.0, (1 - done) / 0.7))


def label_loss(
    scores: torch.Tensor, labels: torch.Tensor, first_timestamp: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy, timestamps softened over ±3 neighbours; and their median error in seconds."""
    known = labels >= 0
    scores, labels = scores[known], labels[known]
    timed = labels >= first_timestamp
    total = -scores[~timed].gather(1, labels[~timed][:, None]).sum()
    if not bool(timed.any()):
        return total / len(labels), total.new_zeros(())
    offsets = torch.arange(-3, 4, device=labels.device)
    weights = torch.exp(-0.5 * offsets.float() ** 2)
    last = scores.shape[1] - 1
    near = (labels[timed][:, None] + offsets).clamp(first_timestamp, last)
    total = total - (scores[timed].gather(1, near) * (weights / weights.sum())).sum()
    guess = scores[timed][:, first_timestamp:].argmax(1) + first_timestamp
    return total / len(labels), (guess - labels[timed]).abs().float().median() * 0.02


def alignment_loss(attention: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """How little of the alignment heads' attention lies on the word that is being predicted."""
    if not len(rows):
        return attention.new_zeros(())
    middle_s = (torch.arange(attention.shape[-1], device=rows.device) + 0.5) * 0.02
    inside = (middle_s >= rows[:, 2:3] - 0.06) & (middle_s <= rows[:, 3:4] + 0.06)
    weights = attention[rows[:, 0].long(), :, rows[:, 1].long()].float()
    return -((weights * inside[:, None]).sum(-1) + 1e-4).log().mean()


def warm_start(model: Whisper, path: Path, vocabulary: tokenizer.Vocabulary) -> None:
    """Takes over the layers of an earlier checkpoint, and its token rows by token text.

    The file holds `layers` (state of the same layer names) and `tokens` (text of each row of
    `emb.weight`; `ctc.weight` rows stand for the first of them, blank last).
    """
    saved = torch.load(path, map_location="cpu", weights_only=True)
    layers, tokens = saved["layers"], saved["tokens"]
    own = model.state_dict()
    for name, value in layers.items():
        if name in own and own[name].shape == value.shape and name not in ("emb.weight",):
            own[name].copy_(value)
    rows = {token: row for row, token in enumerate(tokens)}
    for index, token in enumerate(vocabulary.tokens()):
        row = rows.get(token)
        if row is None:
            continue
        own["emb.weight"][index].copy_(layers["emb.weight"][row])
        if index < vocabulary.text_tokens:
            own["ctc.weight"][index].copy_(layers["ctc.weight"][row])
            own["ctc.bias"][index].copy_(layers["ctc.bias"][row])
    blank = vocabulary.text_tokens
    own["ctc.weight"][blank].copy_(layers["ctc.weight"][saved["blank"]])
    own["ctc.bias"][blank].copy_(layers["ctc.bias"][saved["blank"]])


def run(plan: Plan) -> None:
    """Trains until the plan's minutes or steps are over; goes on from the last checkpoint.

    A file `stop` in the run's folder ends it early, with a checkpoint.
    """
    torch.set_num_threads(1 if plan.world > 1 else torch.get_num_threads())
    if plan.world > 1:
        meeting = (plan.folder / "meeting").absolute()
        dist.init_process_group(
            "gloo",
            init_method=f"file://{meeting}",
            rank=plan.rank,
            world_size=plan.world,
            timeout=datetime.timedelta(minutes=15),
        )
    trainer = Trainer(plan)
    begun = time.monotonic() - trainer.elapsed_s
    saved = time.monotonic()
    done = 0.0
    while trainer.step < plan.max_steps:
        if trainer.step % 10 == 0:
            trainer.elapsed_s = time.monotonic() - begun
            stopped = (plan.folder / STOP).exists()
            share = torch.tensor([1.0 if stopped else trainer.elapsed_s / 60 / plan.minutes])
            if plan.world > 1:
                dist.broadcast(share, 0)
            done = float(share)
            if done >= 1:
                break
        if trainer.step % 200 == 199:
            trainer.shelf.poll()
        trainer.advance(done)
        if plan.rank == 0 and (trainer.step % 50 == 0 or trainer.step in (1, 10)):
            trainer.log()
        if plan.rank == 0 and time.monotonic() - saved > plan.save_every_s:
            trainer.elapsed_s = time.monotonic() - begun
            trainer.save()
            saved = time.monotonic()
    trainer.elapsed_s = time.monotonic() - begun
    if plan.rank == 0:
        trainer.save()
