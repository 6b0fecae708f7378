"""What a run did, for the operator: counts, failures with reasons, audio hours, speed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from speechlytics.records import CallAnalysis

STAGES = ("decode", "activity", "features", "transcribe", "phrases")


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call without a result, and why."""

    call_id: str
    stage: str
    error: str


@dataclass(slots=True)
class Tally:
    """Running sums of a night; ``stage_s`` is CPU time, for ``transcribe`` the model's wall."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[FailedCall] = field(default_factory=list)
    audio_s: float = 0.0
    stage_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def spend(self, stage: str, seconds: float) -> None:
        """Count time that a stage took."""
        self.stage_s[stage] += seconds

    def add(self, analysis: CallAnalysis) -> None:
        """Count a finished call."""
        self.counts[analysis.status] += 1
        if analysis.facts is not None:
            self.audio_s += analysis.facts.duration_ms / 1000
        if analysis.failure is not None:
            failure = analysis.failure
            call_id = analysis.recording.call_id
            self.failures.append(FailedCall(call_id, failure.stage, failure.error))


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run. RTFx is audio seconds per second of work (higher is faster)."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    counts: dict[str, int]
    failures: tuple[FailedCall, ...]
    audio_hours: float
    rtfx: dict[str, float]
    exports: tuple[str, ...] = ()

    @property
    def wall_s(self) -> float:
        """Wall time of the run, seconds."""
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def failed(self) -> bool:
        """Whether some calls failed."""
        return bool(self.failures)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "run_id": self.run_id,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "wall_s": round(self.wall_s, 2),
            "counts": self.counts,
            "audio_hours": round(self.audio_hours, 4),
            "rtfx": {stage: round(value, 1) for stage, value in self.rtfx.items()},
            "failures": [
                {"call_id": f.call_id, "stage": f.stage, "error": f.error} for f in self.failures
            ],
            "exports": list(self.exports),
        }

    def counts_json(self) -> str:
        """The ``counts`` column of table ``runs``."""
        chosen = {k: v for k, v in self.as_dict().items() if k in ("counts", "audio_hours", "rtfx")}
        return json.dumps({**chosen.pop("counts"), **chosen}, ensure_ascii=False)

    def as_text(self) -> str:
        """A few lines for a terminal or a log."""
        parts = [f"{self.counts[key]} {key}" for key in sorted(self.counts)]
        done = ", ".join(parts) or "nothing to do"
        hours = f"{self.audio_hours:.2f} h of audio in {self.wall_s:.1f} s"
        lines = [f"Run {self.run_id}: {done}; {hours}"]
        if self.rtfx:
            speeds = ", ".join(f"{stage} {value:.0f}x" for stage, value in self.rtfx.items())
            lines.append(f"Real-time factor (audio s per s of work): {speeds}")
        lines += [f"  failed {f.call_id} ({f.stage}): {f.error}" for f in self.failures]
        lines += [f"Wrote {path}" for path in self.exports]
        return "\n".join(lines)


def rtfx(tally: Tally, wall_s: float) -> dict[str, float]:
    """Audio seconds per second of work, per stage and for the whole run (``wall``)."""
    if not tally.audio_s:
        return {}
    speeds = {
        stage: tally.audio_s / tally.stage_s[stage] for stage in STAGES if tally.stage_s[stage] > 0
    }
    if wall_s > 0:
        speeds["wall"] = tally.audio_s / wall_s
    return speeds
