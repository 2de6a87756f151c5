"""The unsubscribe link of e-mails: a page that asks, and the click that does it (RFC 8058)."""

import structlog
from aiohttp import web

from api.dashboard.mail_links.page import page
from api.services import SERVICES
from pingpilot.accounts.unsubscribing import Standing
from pingpilot.events.notices import post_notice

log = structlog.get_logger(__name__)


async def get_unsubscribe(request: web.Request) -> web.Response:
    """Ask, or tell that it is done: a link alone switches nothing, since scanners of mail follow links."""
    unsubscriber = request.app[SERVICES].unsubscriber
    subscription = await unsubscriber.subscription_behind(request.match_info["token"])
    if subscription is None:
        return _page(request, "unknown", status=404)
    standing = await unsubscriber.standing(subscription)
    state = "ask" if standing.gets_mail else "done"
    return _page(request, state, standing, is_direct=subscription.is_direct)


async def post_unsubscribe(request: web.Request) -> web.Response:
    """Switch the e-mails off, for the page's button and for mail programs' one click alike, or on again."""
    services = request.app[SERVICES]
    unsubscriber, now = services.unsubscriber, services.clock.now()
    subscription = await unsubscriber.subscription_behind(request.match_info["token"])
    if subscription is None:
        return _page(request, "unknown", status=404)
    account, is_undone = subscription.account, "undo" in request.query
    if await unsubscriber.switch_mail(subscription, on=is_undone, now=now):
        log.info("E-mails are switched on again" if is_undone else "E-mails are off", account_id=account.id)
        word = "on again" if is_undone else "off"
        address = (await unsubscriber.standing(subscription)).address
        text = f"E-mails to {address} were switched {word}, with the link that is in each of them."
        services.on_deliveries(await post_notice(account.id, text, but=subscription.destination, now=now))
    standing = await unsubscriber.standing(subscription)
    state = "undone" if standing.gets_mail else "done"
    return _page(request, state, standing, is_direct=subscription.is_direct)


def _page(
    request: web.Request,
    state: str,
    standing: Standing | None = None,
    *,
    is_direct: bool = True,
    status: int = 200,
) -> web.Response:
    others = " and ".join(standing.others) if standing else ""
    email = standing.address if standing else ""
    return page(request, "unsubscribe", state, status=status, email=email, others=others, tells=is_direct)
