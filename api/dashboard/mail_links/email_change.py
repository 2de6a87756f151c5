"""The link that confirms an account's new e-mail address: a page that asks, and the click that does it."""

import structlog
from aiohttp import web

from api.dashboard.mail_links.page import page
from api.services import SERVICES
from pingpilot.accounts.email_change import EmailChange, EmailChanges, change_email
from pingpilot.accounts.unsubscribing import Subscription
from pingpilot.errors import AlreadyExists, NotFound
from pingpilot.events.notices import post_notice

log = structlog.get_logger(__name__)


async def get_email_change(request: web.Request) -> web.Response:
    """Ask: a link alone changes nothing, since scanners of mail follow links."""
    changes = await EmailChanges.load()
    now = request.app[SERVICES].clock.now()
    change = await changes.change_behind(request.match_info["token"], now)
    if change is None:
        return page(request, "email_change", "unknown", status=404)
    return await _page("already" if change.is_done else "ask", change, request)


async def post_email_change(request: web.Request) -> web.Response:
    """Change the address, and tell the account so."""
    changes, services = await EmailChanges.load(), request.app[SERVICES]
    now = services.clock.now()
    change = await changes.change_behind(request.match_info["token"], now)
    if change is None:
        return page(request, "email_change", "unknown", status=404)
    if change.is_done:  # the second click of two
        return await _page("already", change, request)
    account_id = change.account.id
    try:
        await change_email(change)
    except (AlreadyExists, NotFound) as exc:
        now_it_is = await changes.change_behind(request.match_info["token"], now)
        if now_it_is is not None and now_it_is.is_done:  # two clicks at once
            return await _page("already", now_it_is, request)
        return page(request, "email_change", "refused", status=409, problem=str(exc))
    log.info("An account's address was changed", account_id=account_id)
    text = f"The address of your account is {change.new} from now on; it was {change.account.email}."
    services.on_deliveries(await post_notice(account_id, text, now=now))
    return await _page("done", change, request)


async def _page(state: str, change: EmailChange, request: web.Request) -> web.Response:
    own = Subscription(change.account)
    gets_mail = (await request.app[SERVICES].unsubscriber.standing(own)).gets_mail
    old, new = change.account.email, change.new
    return page(request, "email_change", state, old=old, new=new, gets_mail=gets_mail)
