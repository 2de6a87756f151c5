"""The link that confirms a mailbox: a page that asks, and the click that lets notifications come there."""

import structlog
from aiohttp import web

from api.resources.unsubscribe import page
from api.services import SERVICES
from models import Account
from pingpilot.accounts.mailboxes import Mailboxes, confirm_mailbox
from pingpilot.events.notices import post_notice

log = structlog.get_logger(__name__)
_TEMPLATE = "mailbox.html"


async def get_mailbox(request: web.Request) -> web.Response:
    """Ask: a link alone changes nothing, since scanners of mail follow links."""
    now = request.app[SERVICES].clock.now()
    mailbox = await (await Mailboxes.load()).mailbox_behind(request.match_info["token"], now)
    if mailbox is None:
        return page(_TEMPLATE, status=404, state="unknown")
    account = await Account.get(id=mailbox.account_id)
    return page(_TEMPLATE, state="ask", account=account.email, address=str(mailbox.title))


async def post_mailbox(request: web.Request) -> web.Response:
    """Confirm the mailbox, and tell the account so."""
    services = request.app[SERVICES]
    now = services.clock.now()
    mailbox = await (await Mailboxes.load()).mailbox_behind(request.match_info["token"], now)
    if mailbox is None or not await confirm_mailbox(mailbox, now):
        return page(_TEMPLATE, status=404, state="unknown")
    log.info("A mailbox was confirmed", account_id=mailbox.account_id, destination=mailbox.name)
    text = f"The mailbox {mailbox.title} is confirmed: events go to '{mailbox.name}' from now on."
    services.on_deliveries(await post_notice(mailbox.account_id, text, now=now))
    services.live.announce([mailbox.account_id])  # a notice goes only where there is a direct destination
    account = await Account.get(id=mailbox.account_id)
    return page(_TEMPLATE, state="done", account=account.email, address=str(mailbox.title))
