"""Folders of TOML packs → a set of rules, in the order in which they must be evaluated."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from speechlytics.errors import RuleError
from speechlytics.phrases._compile import PackSource, compile_packs
from speechlytics.phrases._rules import PackTable, Problem, Rule
from speechlytics.shipped import shipped

SHARED_WORDS = "words.toml"  # word lists that every pack of its folder may use


@dataclass(frozen=True, slots=True)
class PackSet:
    """Rules of all packs, dependencies first, and the SHA-256 over all pack files."""

    rules: tuple[Rule, ...]
    sha256: str

    def rules_table(self) -> list[dict[str, str | float | None]]:
        """Rows for the ``rules`` table, without ``run_id``."""
        return [
            {
                "rule_id": rule.rule_id,
                "category": rule.category,
                "role": None if rule.role == "any" else rule.role,
                "language": rule.language,
                "weight": rule.weight,
                "pack": rule.pack,
                "pack_sha256": rule.pack_sha256,
            }
            for rule in sorted(self.rules, key=lambda rule: rule.rule_id)
            if rule.emit
        ]


@cache
def shipped_packs_folder() -> Path:
    """Folder of the packs that come with speechlytics, in a checkout or in a wheel."""
    return shipped("pipelines") / "phrases"


def load_packs(folders: Sequence[Path] | None = None) -> PackSet:
    """Read every ``*.toml`` below ``folders`` (the shipped packs by default).

    Raises:
        RuleError: a folder holds no pack, or packs are wrong; names file, rule and key of
            every problem.
    """
    packs, problems = read_packs(folders)
    if problems:
        listed = "\n".join(str(problem) for problem in problems)
        raise RuleError(f"{len(problems)} problem(s) in the phrase packs:\n{listed}")
    return packs


def read_packs(folders: Sequence[Path] | None = None) -> tuple[PackSet, list[Problem]]:
    """As :func:`load_packs`, but problems are returned beside the rules that are sound."""
    problems: list[Problem] = []
    sources: list[PackSource] = []
    for folder in folders or (shipped_packs_folder(),):
        files = sorted(folder.rglob("*.toml"))
        if not files:
            problems.append(
                Problem(folder, None, None, "holds no phrase pack; check the path in [phrases]")
            )
        shared = {path.parent: _words(path, problems) for path in files if _is_shared(path)}
        for path in files:
            if not _is_shared(path):
                source = _read(path, folder, shared.get(path.parent, {}), problems)
                sources += [source] if source else []
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.name}\0{source.sha256}\0".encode())
    return PackSet(compile_packs(sources, problems), digest.hexdigest()), problems


def _is_shared(path: Path) -> bool:
    return path.name == SHARED_WORDS


def _parse(path: Path, problems: list[Problem]) -> tuple[PackTable, bytes] | None:
    try:
        content = path.read_bytes()
        return msgspec.convert(tomllib.loads(content.decode()), PackTable), content
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(path, None, None, f"cannot be read ({error})"))
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(path, None, None, f"not valid TOML: {error}"))
    except msgspec.ValidationError as error:
        problems.append(Problem(path, None, None, f"{error}; see docs/rules.md for the keys"))
    return None


def _words(path: Path, problems: list[Problem]) -> dict[str, list[str]]:
    parsed = _parse(path, problems)
    if parsed is None:
        return {}
    if parsed[0].rule:
        problems.append(Problem(path, None, "rule", "holds word lists only; move its rules"))
    return parsed[0].words


def _read(
    path: Path, folder: Path, shared: dict[str, list[str]], problems: list[Problem]
) -> PackSource | None:
    parsed = _parse(path, problems)
    if parsed is None:
        return None
    table, content = parsed
    lists = shared | table.words
    sha256 = hashlib.sha256(content + msgspec.json.encode(lists, order="sorted")).hexdigest()
    return PackSource(
        path=path,
        name=path.relative_to(folder).with_suffix("").as_posix(),
        sha256=sha256,
        language=table.language or path.parent.name,
        lists={name: tuple(entries) for name, entries in lists.items()},
        rules=table.rule,
    )
