"""Sessions: the browsers that are signed in, and signing them out."""

from aiohttp import web

from api.dashboard.pages import render, see_other
from api.dashboard.visitors import Visitor, chosen_id, form_token, read_form, signed_in
from api.services import SERVICES
from pingpilot.accounts.sessions import end_other_sessions, end_session, sessions_of


@signed_in
async def get_sessions(request: web.Request, visitor: Visitor) -> web.Response:
    """List the account's sessions, this browser's marked."""
    now = request.app[SERVICES].clock.now()
    return render(
        request,
        "sessions/page.html",
        zone=visitor.account.time_zone,
        visitor=visitor,
        here="sessions",
        sessions=await sessions_of(visitor.account, now),
        token=form_token(request),
    )


@signed_in
async def post_sessions(request: web.Request, visitor: Visitor) -> web.Response:
    """Sign one other browser out, or all others."""
    form = await read_form(request)
    if form.get("session") == "others":
        await end_other_sessions(visitor.account, visitor.session.id)
    elif chosen := chosen_id(form, "session"):
        await end_session(visitor.account, chosen)
    return see_other(request, "settings/sessions")
