"""The unsubscribe link of e-mails: a page that asks, and the click that does it (RFC 8058)."""

from aiohttp import web
from jinja2 import Environment, PackageLoader

from api.services import SERVICES

_pages = Environment(loader=PackageLoader("api"), autoescape=True)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def get_unsubscribe(request: web.Request) -> web.Response:
    """Ask: a link alone switches nothing, since scanners of mail follow links."""
    account = await request.app[SERVICES].unsubscriber.account_behind(request.match_info["token"])
    return _page("ask", account.email) if account else _page("unknown", status=404)


async def post_unsubscribe(request: web.Request) -> web.Response:
    """Switch the e-mails off, for the page's button and for mail programs' one click alike."""
    services = request.app[SERVICES]
    account = await services.unsubscriber.account_behind(request.match_info["token"])
    if account is None:
        return _page("unknown", status=404)
    await services.unsubscriber.unsubscribe(account, services.clock.now())
    return _page("done", account.email)


def _page(state: str, email: str = "", status: int = 200) -> web.Response:
    text = _pages.get_template("unsubscribe.html").render(state=state, email=email)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
