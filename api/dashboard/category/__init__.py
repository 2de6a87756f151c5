"""A category: how much came, what its numbers come to, its latest events as a table, all of them as CSV."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from aiohttp import web

from api.dashboard.category.download import send_csv
from api.dashboard.category.numbers import figure, number_field
from api.dashboard.category.table import (
    FIELD,
    LONGEST_NAME,
    MOST_COLUMNS,
    PER_PAGE,
    SORTED,
    TEXT,
    TIME,
    USUAL_COLUMNS,
    Order,
    columns_of,
    fields_in,
    heading_of,
    rows_of,
    sorted_by,
)
from api.dashboard.charts import columns as bars_of
from api.dashboard.live import mark_of
from api.dashboard.pages import render, root_of
from api.dashboard.visitors import Visitor, signed_in
from api.errors import ApiError
from api.services import SERVICES
from models import Account
from models.ids import event_id_text, parse_event_id
from pingpilot.accounts.categories import (
    NAME_PATTERN,
    CategoryReport,
    count_events,
    report_category,
)
from pingpilot.errors import InvalidInput, NotFound, TooMany
from pingpilot.events.activity import counts_of, midnight
from pingpilot.events.numbers import number_fields_of, totals_of
from pingpilot.events.spans import Span, SpannedEvent, latest_in

DAYS = 30
_READ_DAYS = 31  # the longest month
_SPANS = {"": "30 days", "month": "This month", "week": "This week", "today": "Today"}
_AMOUNTS = ("today", "week", "month")  # the spans whose counts stand at the top
_GONE = "#8a8f86"
"""The colour of a category that was deleted."""
_CARDS = 6
_MOST_FIELDS = 100  # that are offered as columns, or as numbers
_YEARS = range(2000, 2200)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a page's address asks for. `path` is where the page is, also from the address of its download."""

    path: str
    span: str
    order: Order
    page: int
    before: UUID | None
    columns: list[str]
    field: str

    def link(self, **changes: Any) -> str:
        """Return the address of this page with something else in it, at its first events."""
        now: dict[str, Any] = {"span": self.span, "column": self.columns, "field": self.field}
        if not self.order.is_usual:
            now |= {"sort": self.order.by, "order": "desc" if self.order.descending else "asc"}
        now |= changes
        return f"{self.path}?" + urlencode({name: value for name, value in now.items() if value}, doseq=True)

    def sort_link(self, by: str) -> str:
        """Return the address with the events sorted by something, the other way round where they are."""
        descending = not self.order.descending if by == self.order.by else by != TEXT
        return self.link(sort=by, order="desc" if descending else "asc")


@signed_in
async def get_category(request: web.Request, visitor: Visitor) -> web.Response:
    """Show a category, also one that was deleted, as long as something of it is known."""
    report, is_gone = await _own_category(request, visitor.account)
    return await _page(request, visitor, report, is_gone=is_gone)


@signed_in
async def get_csv(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """Send a category's events, those from one day to another, as CSV."""
    account = visitor.account
    report, is_gone = await _own_category(request, account)
    zone, given = ZoneInfo(account.time_zone), request.query
    try:
        first, last = _days_in(given.get("from", ""), given.get("to", ""))
        since = midnight(first, zone) if first else None
        until = midnight(last + timedelta(days=1), zone) if last else None
        span = Span(account.id, report.name, since, until)
        if given.get("fields") == "table":
            columns = _names(given.getall("column", []))
            return await send_csv(request, span, columns, zone, with_others=False)
        columns = fields_in(await latest_in(span, SORTED))[:_MOST_FIELDS]
        return await send_csv(request, span, columns, zone, with_others=True)
    except (InvalidInput, TooMany) as exc:
        return await _page(request, visitor, report, is_gone=is_gone, problem=str(exc))


async def _page(
    request: web.Request, visitor: Visitor, report: CategoryReport, *, is_gone: bool, problem: str = ""
) -> web.Response:
    account, name, now = visitor.account, report.name, request.app[SERVICES].clock.now()
    asked, zone = _asked(request), ZoneInfo(account.time_zone)
    mark = mark_of(request, account.id)  # before the rest is read: loaded once too often at worst
    counts = await counts_of(account, name, now, _READ_DAYS)
    dates = list(counts)
    days = _days_of(asked.span, dates)
    span = Span(account.id, name, midnight(days[0], zone))
    latest, numbered = await asyncio.gather(
        latest_in(span, SORTED), number_fields_of(account, name, _MOST_FIELDS)
    )
    fields = fields_in(latest)
    places = {field: place for place, field in enumerate(fields)}
    numbered.sort(key=lambda field: (field != asked.field, places.get(field, len(places))))
    totals = await totals_of(account, name, numbered[:_CARDS], now, _READ_DAYS)
    charted = dates[-DAYS:]
    columns = asked.columns or fields[:USUAL_COLUMNS]
    shown, next_link = await _shown(span, latest, asked)
    rows = rows_of(shown, columns)
    chart = bars_of([counts[day] for day in charted], report.color, width=710, height=160)
    return render(
        request,
        "category/page.html",
        status=400 if problem else 200,
        zone=account.time_zone,
        visitor=visitor,
        here="category",
        live=None if asked.before or problem else mark,
        category=report,
        is_gone=is_gone,
        amounts=[(_SPANS[each], sum(counts[day] for day in _days_of(each, dates))) for each in _AMOUNTS],
        counts={day: counts[day] for day in charted},
        counts_chart=chart,
        spans=_SPANS,
        asked=asked,
        numbers=[
            number_field(field, totals[field], span=days, charted=charted, color=report.color)
            for field in numbered[:_CARDS]
        ],
        more_numbers=numbered[_CARDS:],
        columns=columns_of(columns, rows),
        fields=list(dict.fromkeys([*columns, *fields]))[:_MOST_FIELDS],
        chosen=columns,
        rows=rows,
        looked_at=len(latest),
        most_sorted=SORTED,
        most_columns=MOST_COLUMNS,
        next_link=next_link,
        figure=figure,
        heading_of=heading_of,
        problem=problem,
        TIME=TIME,
        TEXT=TEXT,
        FIELD=FIELD,
        api=request.app[SERVICES].base_url,
        given=request.query,
    )


def _days_of(span: str, dates: Sequence[date]) -> Sequence[date]:
    """Return which of the last days a span has; a week begins on Monday."""
    today = dates[-1]
    counts = {"today": 1, "week": today.weekday() + 1, "month": today.day}
    return dates[-counts.get(span, DAYS) :]


async def _shown(
    span: Span, latest: Sequence[SpannedEvent], asked: _Asked
) -> tuple[Sequence[SpannedEvent], str | None]:
    """Return the events of a page, and the address of the next one, None at the end.

    The newest first go on to the end of the span; another order is one of the latest.
    """
    if not asked.order.is_usual:
        start = asked.page * PER_PAGE
        ordered = sorted_by(asked.order, latest)[start:]
        return ordered[:PER_PAGE], asked.link(page=asked.page + 1) if len(ordered) > PER_PAGE else None
    if asked.before:
        latest = await latest_in(span, PER_PAGE + 1, asked.before)
    if len(latest) <= PER_PAGE:
        return latest, None
    return latest[:PER_PAGE], asked.link(before=event_id_text(latest[PER_PAGE - 1].id))


def _asked(request: web.Request) -> _Asked:
    """Return what the address asks for; what makes no sense is left out."""
    given = request.query
    span, by = given.get("span", ""), given.get("sort", TIME)
    if by not in (TIME, TEXT) and not by.startswith(FIELD):
        by = TIME
    page = given.get("page", "")
    return _Asked(
        path=f"{root_of(request)}categories/{request.match_info['name']}",
        span=span if span in _SPANS else "",
        order=Order(by[: len(FIELD) + LONGEST_NAME], given.get("order") != "asc"),
        page=int(page) if re.fullmatch("[0-9]{1,3}", page) else 0,
        before=parse_event_id(given.get("before", "")),
        columns=_names(given.getall("column", []))[:MOST_COLUMNS],
        field=given.get("field", "")[:LONGEST_NAME],
    )


def _names(given: Sequence[str]) -> list[str]:
    """Return the fields that are named, each once."""
    return [name for name in dict.fromkeys(given) if 0 < len(name) <= LONGEST_NAME][:_MOST_FIELDS]


def _days_in(first: str, last: str) -> tuple[date | None, date | None]:
    """Return the first and the last day that a form names, None for none. Raises `InvalidInput`."""
    days = _day(first), _day(last)
    if days[0] and days[1] and days[1] < days[0]:
        raise InvalidInput("The last day is before the first one: swap them.")
    return days


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise InvalidInput("A day is written as 2026-11-26, from the year 2000 on; leave it empty for all.")
    return day


async def _own_category(request: web.Request, account: Account) -> tuple[CategoryReport, bool]:
    """Return the category that the address names, and whether it was deleted. Raises `ApiError`."""
    name = request.match_info["name"]
    if not re.fullmatch(NAME_PATTERN, name):
        raise ApiError("category_not_found/name")
    try:
        return await report_category(account, name, request.app[SERVICES].clock.now()), False
    except NotFound as exc:
        if not await count_events(account, name):
            raise ApiError("category_not_found", sentence=exc) from None
    return CategoryReport(name, None, _GONE, False, None, None, 0, None), True
