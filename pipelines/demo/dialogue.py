"""Written dialogues as records: who says what, where silence falls, how the call is recorded."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Role = Literal["agent", "customer"]
DIALOGUES = Path(__file__).parent / "dialogues"
METADATA = (
    "call_id",
    "started_at",
    "direction",
    "agent_id",
    "customer_id",
    "queue",
    "wait_s",
    "csat",
    "disconnect_by",
)


@dataclass(frozen=True, slots=True)
class Speaker:
    """An espeak-ng voice: variant, or base and variant, with rate and pitch."""

    voice: str
    rate_wpm: int
    pitch: int

    @classmethod
    def parse(cls, text: str) -> Speaker:
        """Reads "f2 165 50"; "-" is the language's own voice."""
        voice, rate_wpm, pitch = text.split()
        return cls("" if voice == "-" else voice, int(rate_wpm), int(pitch))


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of speech. `gap_s` is the pause before it, negative to talk over the other side.

    `phrases` are the pack categories that must be found in the turn, `may` those that count
    neither way; every other hit in it is a false one.
    """

    role: Role
    text: str
    gap_s: float | None
    phrases: tuple[str, ...]
    may: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """A scripted silence or hold, with what a listener would judge of it."""

    kind: Literal["silence", "hold_music"]
    duration_s: float
    announced: bool
    harmful: bool
    trailing: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One written call."""

    name: str
    language: str
    codec: str
    started_at: dt.datetime
    metadata: dict[str, Any]
    speakers: dict[Role, Speaker]
    resolved: Literal["yes", "no", "partly"]
    reason: str
    parts: tuple[Turn | Pause, ...]

    @property
    def call_id(self) -> str:
        """The call's identifier, unique among the dialogues."""
        return str(self.metadata["call_id"])

    @property
    def mono(self) -> bool:
        """True when both sides are recorded on one channel."""
        return self.codec.endswith("-mono")


def load_dialogues(folder: Path = DIALOGUES) -> list[Dialogue]:
    """Reads every dialogue of a folder, in the order of the file names.

    Raises:
        ValueError: a file lacks a key or holds a turn that nobody says; the message names it.
    """
    return [_dialogue(path) for path in sorted(folder.glob("*.toml"))]


def _dialogue(path: Path) -> Dialogue:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        return Dialogue(
            name=path.stem,
            language=table["language"],
            codec=table["codec"],
            started_at=table["started_at"],
            metadata={
                key: value.isoformat() if isinstance(value, dt.datetime) else value
                for key in METADATA
                if (value := table.get(key)) is not None
            },
            speakers={
                "agent": Speaker.parse(table["agent_voice"]),
                "customer": Speaker.parse(table["customer_voice"]),
            },
            resolved=table["resolved"],
            reason=table["reason"],
            parts=tuple(_part(entry) for entry in table["turn"]),
        )
    except KeyError as error:
        raise ValueError(f"{path}: key {error} is missing") from error


def _part(entry: dict[str, Any]) -> Turn | Pause:
    for role in ("agent", "customer"):
        if role in entry:
            return Turn(
                role=role,
                text=entry[role],
                gap_s=entry.get("gap_s"),
                phrases=tuple(entry.get("phrases", ())),
                may=tuple(entry.get("may", ())),
            )
    kind: Literal["silence", "hold_music"] = "silence" if "silence_s" in entry else "hold_music"
    return Pause(
        kind=kind,
        duration_s=float(entry[f"{kind}_s"]),
        announced=entry.get("announced", False),
        harmful=entry["harmful"],
        trailing=entry.get("trailing", False),
        cause=entry["cause"],
    )
