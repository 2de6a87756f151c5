"""The unsubscribe link of e-mails: a page that asks, and the click that does it (RFC 8058)."""

import structlog
from aiohttp import web
from jinja2 import Environment, PackageLoader

from api.services import SERVICES
from pingpilot.accounts.unsubscribing import Standing
from pingpilot.events.notices import post_notice

log = structlog.get_logger(__name__)

_pages = Environment(loader=PackageLoader("api"), autoescape=True)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def get_unsubscribe(request: web.Request) -> web.Response:
    """Ask, or tell that it is done: a link alone switches nothing, since scanners of mail follow links."""
    unsubscriber = request.app[SERVICES].unsubscriber
    subscription = await unsubscriber.subscription_behind(request.match_info["token"])
    if subscription is None:
        return _page("unknown", status=404)
    standing = await unsubscriber.standing(subscription)
    return _page("ask" if standing.gets_mail else "done", standing, is_direct=subscription.is_direct)


async def post_unsubscribe(request: web.Request) -> web.Response:
    """Switch the e-mails off, for the page's button and for mail programs' one click alike, or on again."""
    services = request.app[SERVICES]
    unsubscriber, now = services.unsubscriber, services.clock.now()
    subscription = await unsubscriber.subscription_behind(request.match_info["token"])
    if subscription is None:
        return _page("unknown", status=404)
    account, is_undone = subscription.account, "undo" in request.query
    if await unsubscriber.switch_mail(subscription, on=is_undone, now=now):
        log.info("E-mails are switched on again" if is_undone else "E-mails are off", account_id=account.id)
        word = "on again" if is_undone else "off"
        address = (await unsubscriber.standing(subscription)).address
        text = f"E-mails to {address} were switched {word}, with the link that is in each of them."
        services.on_deliveries(await post_notice(account.id, text, but=subscription.destination, now=now))
    standing = await unsubscriber.standing(subscription)
    return _page("undone" if standing.gets_mail else "done", standing, is_direct=subscription.is_direct)


def _page(
    state: str, standing: Standing | None = None, *, is_direct: bool = True, status: int = 200
) -> web.Response:
    others = " and ".join(standing.others) if standing else ""
    email = standing.address if standing else ""
    tells = "yes" if is_direct else ""
    return page("unsubscribe.html", status=status, state=state, email=email, others=others, tells=tells)


def page(template: str, *, status: int = 200, **values: object) -> web.Response:
    """Return a page that loads nothing and tells nobody where its reader was."""
    text = _pages.get_template(template).render(values)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
