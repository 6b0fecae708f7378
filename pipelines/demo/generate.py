"""Generates the shipped demo calls: `python -m pipelines.demo.generate`.

Needs the `dev` extra (espeak-ng comes with `espeakng-loader`) and, for the one GSM call, `sox`.
The result is deterministic: the same dialogues, voices and encoders give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from pipelines.demo.dialogue import METADATA, Dialogue, load_dialogues
from pipelines.demo.encode import CODECS, write_audio
from pipelines.demo.render import RATE_HZ, render_call

CALLS = Path(__file__).parent / "calls"
# These two carry their metadata in a file beside the recording, not in the manifest.
WITH_SIDECAR = ("demo-03", "demo-18")
_AUDIO_SUFFIXES = {codec.suffix for codec in CODECS.values()}


def generate(folder: Path = CALLS) -> None:
    """Writes recordings, `manifest.csv`, sidecars and `truth.jsonl` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.suffix in {*_AUDIO_SUFFIXES, ".json"}:
            old.unlink()
    dialogues = load_dialogues()
    with (folder / "truth.jsonl").open("w", encoding="utf-8", newline="\n") as truth:
        for dialogue in dialogues:
            call = render_call(dialogue)
            write_audio(call.samples, RATE_HZ, dialogue.codec, folder / file_name(dialogue))
            line = {"call_id": dialogue.call_id, "file": file_name(dialogue), **call.truth}
            truth.write(json.dumps(line, ensure_ascii=False) + "\n")
    _write_metadata(dialogues, folder)


def file_name(dialogue: Dialogue) -> str:
    """Name of the recording: the call id with the suffix of its format."""
    return dialogue.call_id + CODECS[dialogue.codec].suffix


def _write_metadata(dialogues: list[Dialogue], folder: Path) -> None:
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["call_id", "file", *METADATA[1:]], lineterminator="\n")
        table.writeheader()
        for dialogue in dialogues:
            if dialogue.call_id not in WITH_SIDECAR:
                table.writerow({"file": file_name(dialogue), **dialogue.metadata})
    for dialogue in dialogues:
        if dialogue.call_id in WITH_SIDECAR:
            text = json.dumps(dialogue.metadata, ensure_ascii=False, indent=2)
            (folder / f"{dialogue.call_id}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Command line: an optional folder to write to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=CALLS)
    folder = parser.parse_args().folder
    generate(folder)
    files = [path for path in folder.iterdir() if path.suffix in _AUDIO_SUFFIXES]
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    print(f"{len(files)} calls, {size_mb:.2f} MB in {folder}")


if __name__ == "__main__":
    main()
