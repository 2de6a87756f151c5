"""The link that confirms an account's new e-mail address: a page that asks, and the click that does it."""

import structlog
from aiohttp import web

from api.resources.unsubscribe import page
from api.services import SERVICES
from pingpilot.accounts.email_change import EmailChanges, change_email
from pingpilot.errors import AlreadyExists, NotFound
from pingpilot.events.notices import post_notice

log = structlog.get_logger(__name__)
_TEMPLATE = "email_change.html"


async def get_email_change(request: web.Request) -> web.Response:
    """Ask: a link alone changes nothing, since scanners of mail follow links."""
    changes = await EmailChanges.load()
    now = request.app[SERVICES].clock.now()
    change = await changes.change_behind(request.match_info["token"], now)
    if change is None:
        return page(_TEMPLATE, status=404, state="unknown")
    return page(_TEMPLATE, state="ask", old=change.account.email, new=change.new)


async def post_email_change(request: web.Request) -> web.Response:
    """Change the address, and tell the account so."""
    changes, services = await EmailChanges.load(), request.app[SERVICES]
    now = services.clock.now()
    change = await changes.change_behind(request.match_info["token"], now)
    if change is None:
        return page(_TEMPLATE, status=404, state="unknown")
    old, account_id = change.account.email, change.account.id
    try:
        await change_email(change)
    except (AlreadyExists, NotFound) as exc:
        return page(_TEMPLATE, status=409, state="refused", problem=str(exc))
    log.info("An account's address was changed", account_id=account_id)
    text = f"The address of your account is {change.new} from now on; it was {old}."
    services.on_deliveries(await post_notice(account_id, text, now=now))
    return page(_TEMPLATE, state="done", old=old, new=change.new)
