"""`python -m models.training`: corpus, speech, tokenizer, training, conversion, figures.

Without a step all of them run in order; what a folder already holds is kept, so that the same
command goes on after an interruption. Training takes hours on two CPU cores and minutes on a GPU.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, help=__doc__, invoke_without_command=True)

Run = Annotated[Path, typer.Option(help="Folder of the run: shards, tokenizer, checkpoint.")]
Model = Annotated[Path, typer.Option(help="Folder of the exported model and its card.")]
Dialogues = Annotated[Path | None, typer.Option(help="Labelled dialogues (calls.jsonl).")]
Minutes = Annotated[float, typer.Option(help="Length of the whole training, all parts together.")]
Processes = Annotated[int, typer.Option(help="Training processes; 1 with a GPU.")]
ShardCount = Annotated[int, typer.Option(help="Shards of about 2 hours of speech.")]

RUN = Path("training-run")
MODEL = Path("models/demo-ru-en-uk-hu")
DIALOGUES = Path("tests/data/dialogues/calls.jsonl")
HELD_BACK = "held-back.json"
_TOKENIZER_SENTENCES = 24_000
_TOKENIZER_SHARES = {"ru": 0.42, "en": 0.26, "uk": 0.16, "hu": 0.16}


@app.callback()
def everything(
    context: typer.Context,
    run: Run = RUN,
    model: Model = MODEL,
    dialogues: Dialogues = None,
    minutes: Minutes = 600,
    processes: Processes = 2,
    shard_count: ShardCount = 60,
) -> None:
    """Runs every step in order unless one is named."""
    if context.invoked_subcommand is None:
        render(run, shard_count, 0, dialogues, None, processes)
        tokenizer(run)
        train(run, minutes, processes)
        export(run, model)
        evaluate(run, model, dialogues)


def _known(dialogues: Path | None) -> Path | None:
    if dialogues is not None:
        return dialogues
    return DIALOGUES if DIALOGUES.exists() else None


@app.command()
def render(
    run: Run = RUN,
    shard_count: ShardCount = 60,
    first: Annotated[int, typer.Option(help="Number of the first shard.")] = 0,
    dialogues: Dialogues = None,
    extra: Annotated[Path | None, typer.Option(help="More sentences: JSON, by language.")] = None,
    processes: Processes = 2,
) -> None:
    """Composes sentences and speaks them; a running training takes new shards up by itself."""
    from models.training.render import render_shards

    known = _known(dialogues)
    seconds = render_shards(run / "shards", first, shard_count, known, extra, processes=processes)
    typer.echo(f"{seconds / 3600:.1f} h of new speech in {run / 'shards'}")


@app.command()
def tokenizer(run: Run = RUN) -> None:
    """Learns the vocabulary from the rendered sentences; an existing one is kept."""
    from models.training import shards
    from models.training import tokenizer as vocabulary

    path = run / "tokenizer.json"
    if path.exists():
        return
    spoken: dict[str, list[str]] = {}
    for shard in shards.complete(run / "shards"):
        for utterance in shards.read(shard).utterances:
            spoken.setdefault(utterance.language, []).append(utterance.text)
    rng = random.Random(1)
    sentences = [
        sentence
        for language, share in _TOKENIZER_SHARES.items()
        for sentence in rng.choices(spoken[language], k=int(_TOKENIZER_SENTENCES * share))
    ]
    made = vocabulary.train(sentences, path)
    typer.echo(f"{made.size} tokens, {made.text_tokens} of them text, in {path}")


@app.command()
def train(
    run: Run = RUN,
    minutes: Minutes = 600,
    processes: Processes = 2,
    steps: Annotated[int, typer.Option(help="Stop after so many steps.")] = 10**9,
    batch: Annotated[int, typer.Option(help="Windows a process and step.")] = 16,
    warm_start: Annotated[Path | None, typer.Option(help="Layers of an earlier model.")] = None,
    rank: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Trains, or goes on from the last checkpoint."""
    from models.training import train as training

    if rank < 0 and processes > 1:
        (run / "meeting").unlink(missing_ok=True)
        arguments = [sys.executable, "-m", "models.training", "train", *_same(locals())]
        ranks = [
            subprocess.Popen([*arguments, "--rank", str(number)]) for number in range(processes)
        ]
        if sum(process.wait() != 0 for process in ranks):
            raise typer.Exit(1)
        return
    training.run(
        training.Plan(
            folder=run,
            minutes=minutes,
            max_steps=steps,
            batch=batch,
            rank=max(rank, 0),
            world=processes,
            warm_start=warm_start,
        )
    )


def _same(given: dict[str, object]) -> list[str]:
    """Command-line options for the processes of one training."""
    names = ("run", "minutes", "processes", "steps", "batch", "warm_start")
    return [
        part
        for name in names
        if given[name] is not None
        for part in ("--" + name.replace("_", "-"), str(given[name]))
    ]


@app.command()
def export(
    run: Run = RUN,
    model: Model = MODEL,
    checkpoint: Annotated[str, typer.Option(help="Name of the checkpoint file.")] = "checkpoint.pt",
) -> None:
    """Converts the checkpoint to CTranslate2 int8 files in the model folder."""
    from models.training.export import export as convert

    size = convert(run / checkpoint, run / "tokenizer.json", model)
    typer.echo(f"{size / 1e6:.1f} MB in {model}")


@app.command()
def evaluate(
    run: Run = RUN,
    model: Model = MODEL,
    dialogues: Dialogues = None,
    count: Annotated[int, typer.Option(help="Sentences a set and language.")] = 40,
    language: Annotated[list[str] | None, typer.Option(help="Only these languages.")] = None,
) -> None:
    """Measures the exported model through faster-whisper and writes the card's tables."""
    from models.training import card, voice
    from models.training.evaluate import measure

    chosen = tuple(language or voice.LANGUAGES)
    figures = measure(model, _known(dialogues), run / "shards", count, chosen, run / HELD_BACK)
    figures["training"] = _training_facts(run)
    card.save(run / card.FIGURES, figures)
    card.write(model / "card.md", figures, card.read_curve(run / card.SCALING))
    typer.echo((model / "card.md").read_text(encoding="utf-8"))


@app.command()
def scale(run: Run = RUN, dialogues: Dialogues = None, count: int = 20) -> None:
    """Adds one point to the scaling curve: a quick look at the latest checkpoint."""
    import tempfile

    from models.training import card, voice
    from models.training.evaluate import held_back, scaling_row
    from models.training.export import export as convert

    sets = {
        language: held_back(language, _known(dialogues), run / "shards", run / HELD_BACK)
        for language in voice.LANGUAGES
    }
    with tempfile.TemporaryDirectory() as scratch:
        convert(run / "checkpoint.pt", run / "tokenizer.json", Path(scratch))
        facts = _training_facts(run)
        row = {"windows": facts["windows"], **scaling_row(Path(scratch), sets, count)}
    card.append_curve(run / card.SCALING, row)
    typer.echo(str(row))


def _training_facts(run: Path) -> dict[str, float]:
    import torch

    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    counted = {name: v for name, v in state["mean"].items() if name != "positions"}
    return {
        "windows": state["windows"],
        "audio_h": state["audio_s"] / 3600,
        "minutes": state["elapsed_s"] / 60,
        "parameters": sum(v.numel() for n, v in counted.items() if not n.startswith("ctc.")),
    }


if __name__ == "__main__":
    app()
