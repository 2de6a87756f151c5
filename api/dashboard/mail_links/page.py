"""What the pages behind mails' links have in common."""

from typing import Any

from aiohttp import web

from api.dashboard.pages import render


def page(request: web.Request, name: str, state: str, *, status: int = 200, **values: Any) -> web.Response:
    """Return a page of its template and state. Its address is a secret: no other page learns of it."""
    return render(
        request,
        f"mail_links/{name}.html",
        status=status,
        headers={"Referrer-Policy": "no-referrer"},
        visitor=None,
        state=state,
        **values,
    )
