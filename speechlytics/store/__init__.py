"""The store: plain Parquet under Delta logs, read through one catalog.

Layout::

    <store>/<table>/call_date=YYYY-MM-DD/part-*.parquet   immutable files
    <store>/<table>/_delta_log/                           which of them are live, per version
    <store>/_published.json                               versions that belong together
    <store>/catalog.duckdb                                views over exactly those
    <store>/_spool/, _journal.json                        calls and a publication on their way
    <store>/_exports/                                     what ``export --new`` has delivered
    <store>/_forgotten.json                               hashes of what was erased

How calls get in, and why nothing is lost, torn or counted twice:

1. A finished call is appended to the *spool*. From then on it survives a killed run.
2. A *publication* writes new Parquet files: the new calls, and the files that held earlier rows
   of the same calls, without them. Nobody sees these files yet.
3. The *journal* (one atomic file) lists what each table gains and loses. This is the commit
   point: killed before it, nothing happened and the spool is published again; killed after it,
   the next writer rolls the publication forward.
4. Each table gets one Delta commit, ``calls`` last. Each carries the publication's sequence
   number as a Delta transaction id, so that rolling forward never commits twice.
5. ``_published.json`` names the new versions, the spool files are deleted, the catalog is built
   and swapped with ``os.replace``, and the journal goes.

A reader of the catalog therefore sees all tables of one publication or of the one before. Its
files stay for a day after they were superseded (:meth:`Writer.sweep`), so that a connection
opened before a publication goes on working. Who reads the Delta tables themselves (pandas,
Polars, Spark) sees each table atomically, and a call only after its other rows.

One process at a time may publish (``StoreLocked`` otherwise); reading takes no lock. The small
shared tables (``rules``, ``reviews``, ``runs``, ``audit``) may be written by anybody at any time.

Erasing (:meth:`Writer.remove_calls`) is a publication without the calls, then a full vacuum: no
superseded file and no earlier entry of a Delta log stays, so that no reader reaches what was
erased. A bucket that keeps versions of its objects, snapshots and backups are not ours to clean.

For a bucket the same files go through ``pyarrow.fs`` and delta-rs; lock, spool and catalog are
local files then.
"""

from __future__ import annotations

from speechlytics.store._done import DoneCall, DoneCalls
from speechlytics.store._forgotten import Forgotten
from speechlytics.store._open import connect, done, views_sql
from speechlytics.store._publish import Published
from speechlytics.store._records import segments_of, silences_of
from speechlytics.store._rows import empty_tables, tables_from
from speechlytics.store._shared import audit_entry
from speechlytics.store._store import Store
from speechlytics.store._writer import Removed, Writer

__all__ = [
    "DoneCall",
    "DoneCalls",
    "Forgotten",
    "Published",
    "Removed",
    "Store",
    "Writer",
    "audit_entry",
    "connect",
    "done",
    "empty_tables",
    "segments_of",
    "silences_of",
    "tables_from",
    "views_sql",
]
