"""The link that confirms a mailbox: a page that asks, and the click that lets notifications come there."""

import structlog
from aiohttp import web

from api.dashboard.mail_links.page import page
from api.services import SERVICES
from models import Account, Destination
from pingpilot.accounts.mailboxes import Mailboxes, confirm_mailbox
from pingpilot.events.notices import post_notice

log = structlog.get_logger(__name__)


async def get_mailbox(request: web.Request) -> web.Response:
    """Ask: a link alone changes nothing, since scanners of mail follow links."""
    mailbox = await _mailbox(request)
    return await _page(request, "ask" if mailbox and mailbox.address is None else "already", mailbox)


async def post_mailbox(request: web.Request) -> web.Response:
    """Confirm the mailbox, and tell the account so; a second click is told that it is confirmed."""
    services = request.app[SERVICES]
    now, mailbox = services.clock.now(), await _mailbox(request)
    if mailbox is None or not await confirm_mailbox(mailbox, now):
        return await _page(request, "already", await _mailbox(request))  # it may be gone by now
    log.info("A mailbox was confirmed", account_id=mailbox.account_id, destination=mailbox.name)
    text = f"The mailbox {mailbox.title} is confirmed: events go to '{mailbox.name}' from now on."
    services.on_deliveries(await post_notice(mailbox.account_id, text, now=now))
    services.live.announce([mailbox.account_id])  # a notice goes only where there is a direct destination
    return await _page(request, "done", mailbox)


async def _mailbox(request: web.Request) -> Destination | None:
    mailboxes = await Mailboxes.load()
    return await mailboxes.mailbox_behind(request.match_info["token"], request.app[SERVICES].clock.now())


async def _page(request: web.Request, state: str, mailbox: Destination | None) -> web.Response:
    if mailbox is None:
        return page(request, "mailbox", "unknown", status=404)
    account = await Account.get(id=mailbox.account_id)
    return page(request, "mailbox", state, account=account.email, address=str(mailbox.title))
