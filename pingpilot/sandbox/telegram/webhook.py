"""Updates that go out by themselves: setWebhook, and a POST for each until somebody takes it."""

import asyncio
import itertools
import re
import time
from collections import Counter, defaultdict

import aiohttp

from pingpilot.sandbox.telegram.model import Json
from pingpilot.sandbox.telegram.params import Params, refused
from pingpilot.sandbox.telegram.updates import UpdateQueue

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105
"""Carries the token that setWebhook named (Bot API, "setWebhook")."""

CONNECTIONS = 40
"""Posts at once, where the bot names no number."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_ANSWERS_WITHIN = aiohttp.ClientTimeout(total=10)
_KINDS_WITH_CHAT = ("message", "channel_post", "my_chat_member")


class WebhookPoster:
    """Posts each update to the address that the bot has set; of one chat, one after the other.

    What is not answered with 2xx is posted again, after `retry_seconds`. With `spread_over`, the posts go to
    these addresses (`http://host:port`) in turn instead of the host in the bot's address, as a proxy in
    front of several daemons does it. `answers` counts by status, 0 for none.
    """

    def __init__(self, updates: UpdateQueue) -> None:
        self.url = ""
        self.secret_token = ""
        self.retry_seconds = 0.5
        self.spread_over: list[str] = []
        self.answers: Counter[int] = Counter()
        self._updates = updates
        self._updates.on_add = self._begin
        self._connections = CONNECTIONS
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._turns: defaultdict[object, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._posts = itertools.count()
        self._last_error: Json = {}
        self._posting: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession | None = None

    def set(self, params: Params) -> bool:
        """Answer setWebhook; raises `Refused`. An empty address is deleteWebhook."""
        url, secret_token = params.text("url"), params.text("secret_token")
        if not url:
            return self.delete(params)
        if not url.startswith(("https://", "http://")):  # without TLS as with a Bot API server of one's own
            raise refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if secret_token and not _SECRET.fullmatch(secret_token):
            raise refused(400, "Bad Request: secret token contains unallowed characters")
        self._stop_posting()
        self.url, self.secret_token, self._last_error = url, secret_token, {}
        self._connections = params.integer("max_connections", CONNECTIONS)
        self._places = asyncio.Semaphore(self._connections)
        self._updates.go_to_webhook(params)
        self.resume()
        return True

    def delete(self, params: Params) -> bool:
        """Answer deleteWebhook."""
        self.url = self.secret_token = ""
        self._stop_posting()
        self._updates.wait_for_polls(forget=params.flag("drop_pending_updates"))
        return True

    def info(self) -> Json:
        """Return the answer to getWebhookInfo."""
        known: Json = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates.waiting),
        }
        if self.url:
            known |= {"max_connections": self._connections, **self._last_error}
        if self._updates.allowed:
            known["allowed_updates"] = self._updates.allowed
        return known

    def resume(self) -> None:
        """Post what waits, after `pause` or at once after an address was set."""
        for update in self._updates.waiting:
            self._begin(update)

    async def pause(self) -> None:
        """Stop posting, as when the platform is away."""
        self._stop_posting()
        http, self._http = self._http, None
        if http:
            await http.close()

    def _begin(self, update: Json) -> None:
        if self.url:
            task = asyncio.create_task(self._post_until_taken(update))
            self._posting.add(task)
            task.add_done_callback(self._posting.discard)

    def _stop_posting(self) -> None:
        for task in self._posting:
            task.cancel()

    async def _post_until_taken(self, update: Json) -> None:
        async with self._turns[_chat_of(update)]:
            while True:
                async with self._places:
                    problem = await self._post(update)
                if problem is None:
                    self._updates.confirm(update)
                    return
                self._last_error = {"last_error_date": int(time.time()), "last_error_message": problem}
                await asyncio.sleep(self.retry_seconds)

    async def _post(self, update: Json) -> str | None:
        """Post an update once; return what was wrong with that, None if it was taken."""
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=_ANSWERS_WITHIN)
        url = self.url
        if self.spread_over:
            _, _, path = url.partition("://")[2].partition("/")
            url = f"{self.spread_over[next(self._posts) % len(self.spread_over)]}/{path}"
        headers = {SECRET_HEADER: self.secret_token} if self.secret_token else {}
        try:
            async with self._http.post(url, json=update, headers=headers) as answer:
                self.answers[answer.status] += 1
                return (
                    None if answer.ok else f"Wrong response from the webhook: {answer.status} {answer.reason}"
                )
        except (aiohttp.ClientError, TimeoutError) as exc:
            self.answers[0] += 1
            refused_it = isinstance(exc, aiohttp.ClientConnectorError)
            return "Connection refused" if refused_it else f"Read error: {type(exc).__name__}"


def _chat_of(update: Json) -> object:
    """Return the chat that an update is from, and the update's own id where it is from none."""
    try:
        return next(update[kind]["chat"]["id"] for kind in _KINDS_WITH_CHAT if kind in update)
    except (StopIteration, KeyError, TypeError):
        return update["update_id"]
