"""The SQL that QA reads: one concept, one file.

Every file states its title, the question it answers, its grain, an example that runs, and the
macros and views it needs; its statement replaces whatever the catalog held before. SQL depends on
the tables of ``schema.py`` only, never on Python.
"""

from __future__ import annotations

from speechlytics.sql._files import SqlFile, sql_files

__all__ = ["SqlFile", "sql_files"]
