"""Publishing calls: one commit point for four tables, and how a half-done one is finished.

The protocol is described in the package's docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speechlytics.errors import StoreError
from speechlytics.schema import PARTITIONED, SCHEMA_VERSION, TABLES
from speechlytics.store import _delta, _files
from speechlytics.store._layout import Change
from speechlytics.store._lock import turn
from speechlytics.store._plan import discard
from speechlytics.store._spool import FOLDER as SPOOL_FOLDER
from speechlytics.store.durable import Place

STATE = "_published.json"
JOURNAL = "_journal.json"


@dataclass(frozen=True, slots=True)
class State:
    """What readers may see: a version of each partitioned table that belong together.

    ``root`` is where the store was then; a moved store needs a new catalog.
    """

    sequence: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    root: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did: calls written, and files added and superseded."""

    sequence: int
    calls: int
    files_added: int
    files_removed: int


def read_state(place: Place) -> State | None:
    """Published versions, ``None`` while the store was never set up.

    Raises:
        StoreError: it was written by a newer version of speechlytics.
    """
    value = place.read_json(STATE)
    if value is None:
        return None
    state = State(
        value["sequence"], value["versions"], value["schema_version"], value.get("root", "")
    )
    if state.schema_version > SCHEMA_VERSION:
        raise StoreError(
            f"{place.root}: schema version {state.schema_version} is newer than "
            f"{SCHEMA_VERSION}, which this speechlytics knows; upgrade it"
        )
    return state


def write_state(place: Place, state: State) -> None:
    """Show readers these versions from the next catalog on."""
    place.write_json(
        STATE,
        {
            "sequence": state.sequence,
            "versions": dict(state.versions),
            "schema_version": state.schema_version,
            "root": place.root,
        },
    )


def set_up(place: Place) -> State:
    """Create missing tables and columns; return what is published now."""
    versions = {name: _delta.create(place, name) for name in TABLES}
    before = read_state(place)
    state = State(
        before.sequence if before else 0,
        {name: versions[name] for name in PARTITIONED},
        root=place.root,
    )
    if state != before:
        write_state(place, state)
    return state


def write_journal(
    place: Place,
    sequence: int,
    changes: Mapping[str, Change],
    spooled: Sequence[Path],
    run_id: str | None,
) -> None:
    """The commit point: from here on the publication happens, whatever dies."""
    place.write_json(
        JOURNAL,
        {
            "sequence": sequence,
            "run_id": run_id,
            "tables": {
                name: {
                    "add": [_files.to_json(file) for file in change.add],
                    "remove": [_files.to_json(file) for file in change.remove],
                }
                for name, change in changes.items()
            },
            "spool": [path.name for path in spooled],
        },
    )


def has_journal(place: Place) -> bool:
    """Whether a publication is under way; assumed so when it cannot be told."""
    try:
        return place.read_json(JOURNAL) is not None
    except StoreError:
        return True


def roll_forward(place: Place, refresh: Callable[[], None]) -> bool:
    """Finish the publication that the journal describes; ``False`` when there is none.

    Every step may have happened already: commits are recognised by their sequence number, and
    the rest can be repeated.

    Raises:
        StoreError: a commit is impossible. If no table was committed yet, the publication is
            given up (its calls stay in the spool), else the journal stays for the next try.
    """
    journal = place.read_json(JOURNAL)
    if journal is None:
        return False
    state = read_state(place) or set_up(place)
    if state.sequence < journal["sequence"]:
        write_state(place, State(journal["sequence"], _commit_all(place, journal, state)))
    for name in journal["spool"]:
        Place(str(place.work)).remove(f"{SPOOL_FOLDER}/{name}")
    refresh()
    place.remove(JOURNAL)
    return True


def _commit_all(place: Place, journal: Mapping[str, Any], state: State) -> dict[str, int]:
    versions = dict(state.versions)
    sequence = journal["sequence"]
    changes = {name: _change(actions) for name, actions in journal["tables"].items()}
    # calls last: to whoever reads the Delta tables themselves, a call is there when it is whole.
    for name in sorted(changes, key=lambda n: n == "calls"):
        add, remove = changes[name].add, changes[name].remove
        if not (add or remove):
            continue
        try:
            versions[name] = _delta.commit(
                place, name, add, remove, sequence=sequence, run_id=journal["run_id"]
            )
        except _delta.Conflict:
            if all(_seen(place, name) < sequence for name in changes):
                place.remove(JOURNAL)
                discard(place, changes)
            raise
    return versions


def _change(actions: Mapping[str, Any]) -> Change:
    return Change(
        tuple(_files.from_json(file) for file in actions["add"]),
        tuple(_files.from_json(file) for file in actions["remove"]),
    )


def _seen(place: Place, table: str) -> int:
    return _delta.load(place, table).transaction_version(_delta.APP_ID) or 0


def sweep(place: Place, min_age_s: float) -> list[str]:
    """Delete files that no reader can need any more; see the package's docstring."""
    state = read_state(place)
    if state is None:
        return []
    deleted: list[str] = []
    for name in TABLES:
        # in turn: what somebody writes to a shared table is an orphan until it is committed
        with turn(place.work):
            stale = _delta.unreferenced(place, name, state.versions.get(name), min_age_s)
            for path in sorted(stale):
                place.remove(f"{name}/{path}")
                deleted.append(f"{name}/{path}")
    return deleted
