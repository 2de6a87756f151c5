"""The dashboard's addresses, and its page for errors."""

from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from structlog.contextvars import get_contextvars

from api.dashboard import (
    account,
    categories,
    destinations,
    events,
    keys,
    live,
    mail_links,
    operator,
    overview,
    sessions,
    sign_in,
    sign_up,
)
from api.dashboard.assets import get_asset
from api.dashboard.category import get_category, get_csv
from api.dashboard.category.download import DOWNLOADS
from api.dashboard.pages import render, see_other
from api.dashboard.visitors import keep_begun_session
from api.errors import MAX_BODY, ApiError, ErrorPage
from api.services import ERROR_PAGE

_OURS = HTTPStatus.INTERNAL_SERVER_ERROR
_SAID: Mapping[HTTPStatus | str, tuple[str, str | None]] = {
    "account_suspended": ("This account is suspended", None),
    HTTPStatus.BAD_REQUEST: ("That did not work", None),
    HTTPStatus.NOT_FOUND: ("There is nothing here", None),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "That did not work",
        "This page is not asked for that way: go back, and use its links and buttons.",
    ),
    HTTPStatus.REQUEST_TIMEOUT: ("That took too long", "Not all of it came in time: go back, and try again."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "That was too long",
        f"A form may hold {MAX_BODY // 1024} KiB: go back, and shorten what it says.",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: ("That was too often", None),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Something went wrong on our side",
        "Try again in a moment. If it stays so, tell whoever runs this server, with the number below.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: ("PingPilot is restarting", "Load this page again in a few seconds."),
}
"""What people are told: a title and, where the sentence for programs does not fit, one of their own."""


def add_dashboard(app: web.Application) -> None:
    """Serve the pages, and errors as pages to those who look at them with a browser."""
    app[ERROR_PAGE] = ErrorPage(error_page)
    app[DOWNLOADS] = Counter()
    app.on_response_prepare.append(keep_begun_session)
    add = app.router
    add.add_get("/", overview.get_overview)
    add.add_post("/", overview.post_overview)
    add.add_get("/assets/{mark}/{name}", get_asset)
    add.add_get("/events", events.get_events)
    add.add_get("/events/{event_id}", events.get_event)
    add.add_get("/events/{event_id}/mail", events.get_mail)
    add.add_post("/events/{event_id}/retry", events.post_retry)
    add.add_get("/categories/{name}", get_category)
    add.add_get("/categories/{name}/events.csv", get_csv)
    add.add_get("/live", live.get_live)
    add.add_get("/sign-in", sign_in.get_sign_in)
    add.add_post("/sign-in", sign_in.post_sign_in)
    add.add_get("/sign-in/{token}", sign_in.get_link)
    add.add_post("/sign-in/{token}", sign_in.post_link)
    add.add_get("/sign-up/{token}", sign_up.get_sign_up)
    add.add_post("/sign-up/{token}", sign_up.post_sign_up)
    add.add_post("/sign-out", sign_in.post_sign_out)
    add.add_get("/settings/destinations", destinations.get_destinations)
    add.add_post("/settings/destinations", destinations.post_destinations)
    add.add_get("/settings/account", account.get_account)
    add.add_post("/settings/account", account.post_account)
    add.add_post("/settings/account/export", account.post_export)
    add.add_get("/operator", operator.get_server)
    add.add_post("/operator", operator.post_server)
    add.add_get("/operator/accounts", operator.get_accounts)
    add.add_post("/operator/accounts", operator.post_accounts)
    add.add_get("/settings/categories", categories.get_categories)
    add.add_post("/settings/categories", categories.post_categories)
    add.add_get("/settings/keys", keys.get_keys)
    add.add_post("/settings/keys", keys.post_keys)
    add.add_get("/settings", get_settings)
    add.add_get("/settings/sessions", sessions.get_sessions)
    add.add_post("/settings/sessions", sessions.post_sessions)
    add.add_get("/unsubscribe/{token}", mail_links.get_unsubscribe)
    add.add_post("/unsubscribe/{token}", mail_links.post_unsubscribe)
    add.add_get("/confirm-email/{token}", mail_links.get_email_change)
    add.add_post("/confirm-email/{token}", mail_links.post_email_change)
    add.add_get("/confirm-mailbox/{token}", mail_links.get_mailbox)
    add.add_post("/confirm-mailbox/{token}", mail_links.post_mailbox)


async def get_settings(request: web.Request) -> web.Response:
    """Lead to the first of the settings' pages."""
    return see_other(request, "settings/destinations")


def error_page(request: web.Request, error: ApiError) -> web.Response:
    """Return an error for people: what happened and what to do."""
    usual = _SAID.get(HTTPStatus(error.status), ("That did not work", None))
    title, sentence = _SAID.get(error.code, usual)
    return render(
        request,
        "error.html",
        status=error.status,
        headers=error.headers,
        visitor=None,
        title=title,
        sentence=sentence or str(error),
        code=error.code,
        number=get_contextvars().get("request_id", "") if error.status >= _OURS else "",
    )
