"""Handlers of the dashboards and of the SQL page."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from speechlytics.review._asking import covering, services, user_of
from speechlytics.review._filters import parse_day
from speechlytics.review._i18n import N_
from speechlytics.review._render import language_of, render
from speechlytics.review._security import check_csrf
from speechlytics.review._sqlbox import FILE_ROW_LIMIT, Answer, QueryRefused, ask
from speechlytics.sql import sql_files

if TYPE_CHECKING:
    from starlette.requests import Request

FIRST_QUERY = "SELECT call_id, call_date, score, reasons\nFROM unresolved_calls\nLIMIT 20"
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def dashboards(request: Request) -> Response:
    """Figures by day, hour, queue and agent."""
    last = parse_day(request.query_params.get("last"))
    length = request.query_params.get("days", "14")
    days = int(length) if length in {"7", "14", "28"} else 14
    board = services(request).dashboards.board(last, days, language_of(request), covering(request))
    return render(request, "dashboards.html", board=board, days=days)


async def sql(request: Request) -> Response:
    """The SQL page: a form, and what its query returned."""
    if request.method != "POST":
        given = request.query_params.get("q", "")[:20_000] or FIRST_QUERY
        return await run_in_threadpool(_page, request, given, None, None)
    form = await request.form(max_files=0)
    check_csrf(request, form.get("csrf"))
    query, form_wanted = str(form.get("query", "")), str(form.get("format", "table"))
    return await run_in_threadpool(_answer, request, query, form_wanted)


def _answer(request: Request, query: str, wanted: str) -> Response:
    shared = services(request)
    as_file = wanted in MEDIA_TYPES
    shared.journal.note(user_of(request), "sql", query=query[:2000], format=wanted)
    try:
        if as_file:
            return _file(request, ask(shared.store, query, FILE_ROW_LIMIT), wanted)
        return _page(request, query, ask(shared.store, query), None)
    except QueryRefused as error:
        said = error.said_in(language_of(request))
        return _page(request, query, None, covering(request)(said) if error.quotes else said)


def _page(request: Request, query: str, answer: Answer | None, problem: str | None) -> Response:
    rows = [] if answer is None else _covered(request, answer)
    views = services(request).catalog.rows(
        "SELECT view_name AS name, comment FROM duckdb_views() "
        "WHERE NOT internal AND schema_name = 'main' ORDER BY name"
    )
    told = {file.name: file.question for file in sql_files()}
    views = [{**view, "comment": told.get(view["name"], view["comment"]) or ""} for view in views]
    status = 200 if problem is None else 400
    return render(
        request,
        "sql.html",
        status=status,
        query=query,
        columns=[] if answer is None else _names(request, answer),
        rows=rows,
        cut=bool(answer and answer.cut),
        answered=answer is not None,
        problem=problem,
        views=views,
    )


def _covered(request: Request, answer: Answer) -> list[list[Any]]:
    """Rows as lists, texts covered for whoever asks."""
    cover = covering(request)

    def shown(value: Any) -> Any:
        if isinstance(value, str):
            return cover(value)
        if isinstance(value, dict):
            return {name: shown(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):  # a map comes as pairs
            return type(value)(shown(inner) for inner in value)
        if isinstance(value, bytes):
            return cover(value.decode("utf-8", "replace")).encode()
        return value

    # by column: two columns may have the same name
    columns = [[shown(value) for value in column.to_pylist()] for column in answer.table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _names(request: Request, answer: Answer) -> list[str]:
    """Names of the columns, covered: a pivoted table has values for names."""
    cover = covering(request)
    return [cover(name) for name in answer.table.schema.names]


def _file(request: Request, answer: Answer, wanted: str) -> Response:
    """The answer as a download that no spreadsheet runs as a formula."""
    import pyarrow as pa

    from speechlytics.export import WRITERS

    names = _names(request, answer)
    if len(set(names)) != len(names):
        raise QueryRefused(N_("two columns have the same name; give one another with AS"))
    rows = [dict(zip(names, row, strict=True)) for row in _covered(request, answer)]
    try:
        covered = pa.Table.from_pylist(rows, schema=answer.table.rename_columns(names).schema)
    except pa.ArrowException as error:
        raise QueryRefused(
            N_("a column is of a type that no file holds; cast it to text")
        ) from error
    with tempfile.NamedTemporaryFile(suffix=f".{wanted}", delete=False) as kept:
        path = Path(kept.name)
    WRITERS[wanted](path, covered.schema, covered.to_batches(max_chunksize=2048))
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[wanted],
        filename=f"speechlytics.{wanted}",
        background=BackgroundTask(path.unlink),
    )
