"""The stream that tells a page to load itself anew, as server-sent events.

It carries no content: a page asks for itself again, by its own address, and puts in what has changed.
"""

import asyncio
import re
import secrets

from aiohttp import web
from aiohttp_sse import sse_response

from api.dashboard.pages import headers_for
from api.dashboard.visitors import visitor_of
from api.services import SERVICES
from pingpilot.errors import DatabaseUnavailable

MOST_STREAMS = 20
"""Streams an account may have open; further pages are still, until one is closed."""
_REFRESHES = 5.0  # a second, over all pages of this daemon: intake comes first
_SHORTEST = 0.5  # seconds between two of one page
_LOOKS_EVERY = 60.0  # seconds after which a stream without news looks whether its session still stands
_BROWSER_GONE = 1.0  # seconds after which it is noticed
_RUN = secrets.token_hex(4)
"""Tells the counts of this start of the daemon from those of others."""
_APART = 3.0  # seconds by which daemons' clocks differ at most, with the time that news takes
_MARK = re.compile(r"(\w{1,16})\.(\d{1,18})@(\d{1,12})")


def mark_of(request: web.Request, account_id: int) -> str:
    """Return how far a page that is made now has got, for its stream to go on from, at whichever daemon."""
    services = request.app[SERVICES]
    return f"{_RUN}.{services.live.changes(account_id)}@{services.clock.now().timestamp():.0f}"


def _is_out_of_date(request: web.Request, account_id: int, mark: str) -> bool:
    """Return whether something may have changed since a page had got as far as its mark says."""
    live, read = request.app[SERVICES].live, _MARK.fullmatch(mark)
    if read is None:
        return True
    run, count, made_at = read.groups()
    if run == _RUN:
        return int(count) != live.changes(account_id)
    # Another daemon's page, whose counts say nothing here
    age = request.app[SERVICES].clock.now().timestamp() - int(made_at)
    return live.has_changed(account_id, within=max(0.0, age) + _APART)


async def get_live(request: web.Request) -> web.StreamResponse:
    """Tell of each change of the account until the page goes, the session ends or the daemon stops.

    Those for whom there is no stream get an empty answer: whatever stands in one, a page would show.
    """
    live, visitor = request.app[SERVICES].live, await visitor_of(request, with_trouble=False)
    if visitor is None or live.watchers_of(visitor.account.id) >= MOST_STREAMS:
        return web.Response(status=204, headers=headers_for(request))
    known = request.headers.get("Last-Event-ID") or request.query.get("seen", "")
    next_look = 0.0
    with live.watching(visitor.account.id) as changed:
        try:
            async with sse_response(request, headers=headers_for(request)) as stream:
                # aiohttp tells no handler that the browser is gone: its next request has another transport
                while request.transport is not None and not live.ending.is_set():
                    now = asyncio.get_running_loop().time()
                    is_news = changed.is_set()
                    changed.clear()  # before anything is read: what comes meanwhile is looked at next
                    if is_news or now >= next_look:
                        next_look = now + _LOOKS_EVERY
                        if await visitor_of(request, with_trouble=False) is None:
                            await stream.send("", event="over")  # the page asks no more
                            break
                    if _is_out_of_date(request, visitor.account.id, known):
                        known = mark_of(request, visitor.account.id)
                        await stream.send("", id=known, event="changed")
                        # By an event, not a sleep: a stop waits for nobody
                        await _set_within(live.ending, max(_SHORTEST, live.watchers / _REFRESHES))
                    await _set_within(changed, _BROWSER_GONE)
        except (ConnectionResetError, TimeoutError, DatabaseUnavailable):
            pass  # the page is gone, or takes nothing any more, or comes again once the database is back
    return stream


async def _set_within(signal: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await signal.wait()
    except TimeoutError:
        pass
