"""Telegram's webhook: updates that any daemon takes, and that the bot's leader handles.

Every request of a bot comes from its leader, answers to updates too: they use the allowance of its chats,
which no other daemon knows. So whoever is posted to stores the update and answers at once.
"""

import asyncio
import hmac
import json
import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from pydantic import SecretStr
from telegram import Bot, Update, WebhookInfo
from telegram.error import BadRequest, InvalidToken, TelegramError
from telegram.ext import Application

from bots.telegram.sealing import Seal
from bots.telegram.settings import HTTPS_ALONE
from bots.telegram.updates import IDS_END, WANTED, checked
from models import Fact
from models.incoming_update import IncomingUpdate, TakenUpdate
from pingpilot.channels import TELEGRAM, incoming_url
from pingpilot.clock import Clock
from pingpilot.errors import DatabaseUnavailable, InvalidInput, Misconfigured
from pingpilot.telemetry.health import Health, State

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  # https://core.telegram.org/bots/api#setwebhook
LOOK_EVERY = timedelta(seconds=1)
"""How often the leader looks for updates that another daemon has taken, should it not be told of them."""
ASK_EVERY = timedelta(minutes=1)
"""How often Telegram is asked whether it gets through."""
MOST_WAITING = 1000
"""Updates that may wait for the leader; others stay with Telegram."""
_KEY = "telegram.webhook.key"

App = Application[Any, Any, Any, Any, Any, Any]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Secrets:
    """What Telegram shows for being Telegram, and what hides updates in the database.

    Both are made of a key in the database and the bot's token, so that every daemon has them, and nobody who
    has only one of the two.
    """

    token: str
    seal: Seal


class Webhook:
    """The updates of one `bot` that Telegram posts, on their way from any daemon to the leader.

    `on_incoming` is told when this daemon has taken one, `may_act` whether it leads the bot.
    """

    def __init__(
        self,
        *,
        token: SecretStr,
        bot: str,
        base_url: str,
        lane: int = 0,
        needs_https: bool,
        clock: Clock,
        health: Health,
        may_act: Callable[[], bool] = lambda: True,
        on_incoming: Callable[[], None] = lambda: None,
        look_every: timedelta = LOOK_EVERY,
        ask_every: timedelta = ASK_EVERY,
    ) -> None:
        self.url = incoming_url(base_url, TELEGRAM.name, lane)
        self._token = token.get_secret_value()
        self._bot = bot
        self._needs_https = needs_https
        self._clock = clock
        self._health = health
        self._may_act = may_act
        self._on_incoming = on_incoming
        self._look_every = look_every
        self._ask_every = ask_every
        self._news = asyncio.Event()
        self._secrets: _Secrets | None = None
        self._under_way: set[asyncio.Task[None]]
        self.begin_term()

    # At any daemon

    async def vouches_for(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the secret that Telegram was given."""
        shown = headers.get(SECRET_HEADER, "").encode(errors="replace")
        return hmac.compare_digest(shown, (await self.secret_token()).encode())

    async def secret_token(self) -> str:
        """Return what Telegram is to show."""
        return (await self._known()).token

    async def receive(self, body: bytes) -> bool:
        """Store an update that was posted; False where too many wait already: Telegram sends it again.

        Raises `InvalidInput` for what is no update.
        """
        try:
            update_id = json.loads(body)["update_id"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InvalidInput("it holds no update of Telegram's") from None
        if type(update_id) is not int or not 0 <= update_id < IDS_END:
            raise InvalidInput("its update has no id")
        if await IncomingUpdate.count_waiting(self._bot, MOST_WAITING) >= MOST_WAITING:
            return False
        sealed = (await self._known()).seal.close(body)
        if await IncomingUpdate.keep(self._bot, update_id, sealed, self._clock.now()):
            self._on_incoming()
        return True

    def wake(self) -> None:
        """Let the leader look at once, if it is this daemon."""
        self._news.set()

    # At the leader

    async def serve(self, application: App, *, most: int) -> None:
        """Have Telegram post to us, and let the application handle what comes, `most` at once, for ever.

        Raises `Misconfigured` where Telegram can't post to us, `TelegramError` at the start.
        """
        await self._set(application.bot)
        self._health.report(TELEGRAM.name, State.UP)
        asked, last_error = self._clock.monotonic(), None
        self.begin_term()
        while True:
            self._news.clear()
            await self.handle_waiting(application, most=most)
            try:
                async with asyncio.timeout(self._look_every.total_seconds() * random.uniform(0.8, 1.2)):  # noqa: S311
                    await self._news.wait()
            except TimeoutError:
                pass
            if self._clock.monotonic() - asked >= self._ask_every.total_seconds():
                asked, last_error = self._clock.monotonic(), await self._ask(application.bot, last_error)

    def begin_term(self) -> None:
        """Take over: what an earlier term, of whichever daemon, began and did not finish is handled again."""
        self._term = secrets.token_hex(8)
        self._under_way = set()

    async def handle_waiting(self, application: App, *, most: int) -> None:
        """Begin to handle what waits, the oldest first, with `most` under way at once.

        Nothing where the database is away, or where this daemon does not lead: it may have stood still.
        """
        term, room = self._term, most - len(self._under_way)
        if room <= 0 or not self._may_act():
            return

        async def handle(taken: TakenUpdate) -> None:
            if update := await self._read(taken, application.bot):
                await application.process_update(update)
            if self._may_act():  # else its answer did not go out: the next leader gives one
                with suppress(DatabaseUnavailable):
                    await IncomingUpdate.finish(taken.id, term)

        def ended(task: asyncio.Task[None]) -> None:
            self._under_way.discard(task)
            self._news.set()

        with suppress(DatabaseUnavailable):  # which shows in `/readyz`; what waits is looked for again
            for taken in await IncomingUpdate.take(self._bot, term, room):
                task = application.create_task(handle(taken))
                self._under_way.add(task)
                task.add_done_callback(ended)

    async def _set(self, bot: Bot) -> None:
        """Tell Telegram where to post. Raises `Misconfigured` for an address that it doesn't take."""
        if self._needs_https and not self.url.startswith("https://"):
            raise Misconfigured(HTTPS_ALONE)
        try:
            await bot.set_webhook(self.url, secret_token=await self.secret_token(), allowed_updates=WANTED)
        except BadRequest as exc:
            raise Misconfigured(f"Telegram does not take the webhook {self.url}: {exc.message}") from exc

    async def _ask(self, bot: Bot, last_error: Any) -> Any:
        """Show whether Telegram gets through, and set the webhook again where somebody else has changed it;
        return when it last did not, to be compared the next time.
        """
        try:
            info: WebhookInfo = await bot.get_webhook_info()
            if info.url != self.url:
                log.warning("Somebody else has changed the bot's webhook: it is set again")
                await self._set(bot)
        except InvalidToken:
            raise
        except TelegramError as exc:
            self._health.report(TELEGRAM.name, State.RETRYING, f"Telegram: {exc.message}")
            return last_error
        if info.pending_update_count and info.last_error_date != last_error:
            problem = f"Telegram does not get through to {self.url}: {info.last_error_message}"
            self._health.report(TELEGRAM.name, State.RETRYING, problem)
        elif not info.pending_update_count:
            self._health.report(TELEGRAM.name, State.UP)
        return info.last_error_date

    async def _read(self, taken: TakenUpdate, bot: Bot) -> Update | None:
        try:
            update = json.loads((await self._known()).seal.open(taken.content))
        except ValueError:  # such as after a change of the token
            log.warning("An update from Telegram can't be read and is skipped")
            return None
        return Update.de_json(checked(update), bot)

    async def _known(self) -> _Secrets:
        """Return the secrets, which the first who asks in a database makes."""
        if self._secrets is None:
            key = (await Fact.get_or_set(_KEY, secrets.token_hex(32))).encode()
            shown = hmac.digest(key, f"posts to {self._token}".encode(), "sha256")
            hides = hmac.digest(key, f"hides for {self._token}".encode(), "sha256")
            self._secrets = _Secrets(shown.hex(), Seal(hides))
        return self._secrets
