"""The dashboard's addresses, and its page for errors."""

from collections import Counter
from http import HTTPStatus

from aiohttp import web

from api.dashboard import categories, events, keys, live, overview, sessions, sign_in
from api.dashboard.assets import get_asset
from api.dashboard.category import get_category, get_csv
from api.dashboard.category.download import DOWNLOADS
from api.dashboard.pages import render, see_other
from api.errors import ApiError, ErrorPage
from api.services import ERROR_PAGE

_TITLES = {
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.TOO_MANY_REQUESTS: "That was too often",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side",
    HTTPStatus.SERVICE_UNAVAILABLE: "PingPilot is restarting",
}


def add_dashboard(app: web.Application) -> None:
    """Serve the pages, and errors as pages to those who look at them with a browser."""
    app[ERROR_PAGE] = ErrorPage(error_page)
    app[DOWNLOADS] = Counter()
    add = app.router
    add.add_get("/", overview.get_overview)
    add.add_post("/", post_nothing)
    add.add_get("/assets/{mark}/{name}", get_asset)
    add.add_get("/events", events.get_events)
    add.add_get("/events/{event_id}", events.get_event)
    add.add_post("/events/{event_id}/retry", events.post_retry)
    add.add_get("/categories/{name}", get_category)
    add.add_get("/categories/{name}/events.csv", get_csv, allow_head=False)
    add.add_get("/live", live.get_live)
    add.add_get("/sign-in", sign_in.get_sign_in)
    add.add_post("/sign-in", sign_in.post_sign_in)
    add.add_get("/sign-in/{token}", sign_in.get_link)
    add.add_post("/sign-in/{token}", sign_in.post_link)
    add.add_post("/sign-out", sign_in.post_sign_out)
    add.add_get("/settings/categories", categories.get_categories)
    add.add_post("/settings/categories", categories.post_categories)
    add.add_get("/settings/keys", keys.get_keys)
    add.add_post("/settings/keys", keys.post_keys)
    add.add_get("/settings", get_settings)
    add.add_get("/settings/sessions", sessions.get_sessions)
    add.add_post("/settings/sessions", sessions.post_sessions)


async def get_settings(request: web.Request) -> web.Response:
    """Lead to the first of the settings' pages."""
    return see_other(request, "settings/categories")


async def post_nothing(_request: web.Request) -> web.Response:
    """Refuse what a program sends to the bare address, as at any address that is not the API's."""
    raise ApiError("not_found")


def error_page(request: web.Request, error: ApiError) -> web.Response:
    """Return an error for people: what happened and what to do, in the sentence that programs get too."""
    title = _TITLES.get(HTTPStatus(error.status), "That did not work")
    return render(
        request,
        "error.html",
        status=error.status,
        headers=error.headers,
        visitor=None,
        title=title,
        sentence=str(error),
        code=error.code,
    )
