"""The overview: what an account's owner sees first."""

import asyncio

from aiohttp import web

from api.dashboard.charts import sparkline, stacked
from api.dashboard.events import listed
from api.dashboard.first_steps import DESCRIPTION, Given, carry_out, first_steps_of
from api.dashboard.live import mark_of
from api.dashboard.pages import render, see_other
from api.dashboard.sign_in import welcome
from api.dashboard.states import state_of
from api.dashboard.visitors import Visitor, form_token, hide_steps, read_form, turned_away, visitor_of
from api.errors import ApiError
from api.replies import wants_page
from api.services import SERVICES
from pingpilot.accounts.categories import report_categories
from pingpilot.accounts.destinations import destinations_of
from pingpilot.accounts.quota import quota_of
from pingpilot.channels import CHANNELS
from pingpilot.events.activity import days_of
from pingpilot.events.history import Wanted, list_events

DAYS = 30
_LATEST = 8
_MOST_CARDS = 12


async def get_overview(request: web.Request) -> web.StreamResponse:
    """Show the overview, or what this is to those who are not signed in. Programs have nothing here."""
    if not wants_page(request):
        raise ApiError("not_found")
    visitor = await visitor_of(request)
    return await (_overview(request, visitor) if visitor else turned_away(request, welcome))


async def post_overview(request: web.Request) -> web.Response:
    """Do what a button of the first steps asks for. Programs have nothing here."""
    visitor = await visitor_of(request)
    if visitor is None:
        if not wants_page(request):
            raise ApiError("not_found")
        return await turned_away(request)
    form = await read_form(request)
    if given := await carry_out(form, request, visitor):
        return await _overview(request, visitor, given)
    if form.get("do") != "hide":
        return see_other(request, "?steps")  # an event may have arrived by then: its tick is shown
    response = see_other(request, "")
    hide_steps(response, request, visitor)
    return response


async def _overview(request: web.Request, visitor: Visitor, given: Given | None = None) -> web.Response:
    services, account = request.app[SERVICES], visitor.account
    now = services.clock.now()
    mark = mark_of(request, account.id)  # before the rest is read: loaded once too often at worst
    reports, days, quota, rows, page = await asyncio.gather(
        report_categories(account, now),
        days_of(account, now, DAYS),
        quota_of(account, services.limits, now),
        destinations_of(account),
        list_events(Wanted(account.id), _LATEST),
    )
    colors = {report.name: report.color for report in reports}
    # The busiest first: of a thousand categories nobody looks at all
    cards = sorted(reports, key=lambda report: (-report.events_this_month, report.name))
    return render(
        request,
        "overview/page.html",
        status=400 if given and given.problem else 200,
        zone=account.time_zone,
        visitor=visitor,
        here="overview",
        live=mark,
        cards=cards[:_MOST_CARDS],
        hidden_cards=max(0, len(cards) - _MOST_CARDS),
        lines={
            report.name: sparkline([day.events.get(report.name, 0) for day in days])
            for report in cards[:_MOST_CARDS]
        },
        days=days,
        bars=stacked(days, colors),
        colors=colors,
        quota=quota,
        share=min(1.0, quota.used / quota.limit) if quota.limit else 1.0,
        destinations=[state_of(row, services.health, now) for row in rows],
        api=services.base_url,
        latest=await listed(account, page.events),
        steps=await first_steps_of(request, visitor, rows, page, given),
        example=DESCRIPTION,
        labels={name: kind.label for name, kind in CHANNELS.items()},
        token=form_token(request),
    )
