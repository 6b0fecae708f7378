"""Rows of manifests and call detail records → entries, with the names they are asked for."""

from __future__ import annotations

from pathlib import PurePosixPath

from speechlytics.config import MetadataSource
from speechlytics.errors import ConfigError
from speechlytics.sources import _asterisk
from speechlytics.sources._fields import RECORDING_ALIAS, Entry, split, text
from speechlytics.sources._tables import Row, csv_lines, decoded, read_bytes, read_table


def manifest_entries(config: MetadataSource, path: str, where: str) -> list[Entry]:
    """Entries of a manifest.

    Raises:
        ConfigError: a mapped column is not there, or none says which call a row is about.
        SourceError: the file cannot be read.
    """
    columns, rows = read_table(path, f"{where}.file", config.delimiter)
    for name, column in config.columns.items():
        if column not in columns:
            raise ConfigError(
                f"{where}.columns: {name} = {column!r} is not a column of {path}; "
                f"it has {', '.join(columns) or 'none'}"
            )
    naming = {config.columns.get(name, name) for name in ("call_id", "recording")}
    if not (naming | {RECORDING_ALIAS}) & set(columns):
        raise ConfigError(
            f"{path}: no column says which call a row is about; map call_id or recording in "
            f"{where}.columns (columns: {', '.join(columns) or 'none'})"
        )
    return [_manifest_entry(config, path, row) for row in rows]


def _manifest_entry(config: MetadataSource, path: str, row: Row) -> Entry:
    where = f"{path}:{row.line}"
    stem = PurePosixPath(path).stem
    if row.problem is not None:
        problem = f"{where}: {row.problem}; correct the line"
        return Entry(where, fallback_id=f"{stem}-line-{row.line}", problem=problem)
    known, columns, extra = split(row.values, config.columns)
    keys: dict[str, None] = {}
    fallback = None
    recording = known.get("recording")
    if recording is not None:
        path_of = PurePosixPath(text(recording).replace("\\", "/"))
        keys[str(path_of)] = None
        keys[str(path_of.with_suffix("")) if path_of.name else str(path_of)] = None
        fallback = path_of.stem
    if "call_id" in known:
        keys[text(known["call_id"])] = None
    notes = (f"{where}: {row.note}",) if row.note else ()
    return Entry(where, known, columns, extra, tuple(keys), fallback, config.utc, notes=notes)


def cdr_entries(config: MetadataSource, path: str, where: str) -> list[Entry]:
    """Entries of an Asterisk ``Master.csv``, answered records first.

    Raises:
        SourceError: the file cannot be read.
    """
    content = decoded(read_bytes(path, f"{where}.file"), path)
    entries = [
        _cdr_entry(config, f"{path}:{line}", fields)
        for line, fields in csv_lines(content, path, config.delimiter or ",")
    ]
    # One call may have several records (one per agent rung): what was answered says more.
    return sorted(entries, key=lambda entry: entry.values.get("answered") is not True)


def _cdr_entry(config: MetadataSource, where: str, fields: list[str]) -> Entry:
    row = _asterisk.cdr_row(fields)
    uniqueid, userfield = row.get("uniqueid", "").strip(), row.get("userfield", "").strip()
    if len(fields) < len(_asterisk.CDR_COLUMNS):
        problem = (
            f"{where}: {len(fields)} fields where a call detail record has "
            f"{len(_asterisk.CDR_COLUMNS)} to {len(_asterisk.CDR_COLUMNS) + 2}"
        )
        line = where.rsplit(":", 1)[-1]
        return Entry(where, fallback_id=f"cdr-line-{line}", problem=problem)
    values = _asterisk.cdr_values(row)
    named = {name: row[column] for name, column in config.columns.items() if column in row}
    values |= {name: value for name, value in named.items() if value}
    keys = [uniqueid] if uniqueid else []
    if userfield:
        name = PurePosixPath(userfield)
        keys += [str(name), str(name.with_suffix("")) if name.name else userfield]
    extra = {name: row[name] for name in _asterisk.CDR_EXTRA if row.get(name)}
    return Entry(
        where,
        values,
        {},
        extra,
        tuple(dict.fromkeys(keys)),
        uniqueid or (PurePosixPath(userfield).stem if userfield else None),
        config.utc,
    )
