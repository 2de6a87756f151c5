"""The Telegram bot's life: polls for what people say, and answers."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog
from pydantic import SecretStr
from telegram import BotCommand, BotCommandScopeAllGroupChats, Update
from telegram.error import InvalidToken, RetryAfter, TelegramError
from telegram.ext import ApplicationBuilder

from bots.commands import MENU, ROOM_MENU, Commands
from bots.telegram.channel import pause_named_by
from bots.telegram.commands import ChatCommands
from bots.telegram.requests import new_request
from bots.telegram.updates import WANTED, BotRequests
from bots.telegram.webhook import MOST_WAITING, App, Webhook
from models import Fact
from pingpilot.accounts.linking import TELEGRAM_USERNAME, fact_of_bot
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.parts import Place, anywhere
from pingpilot.errors import Misconfigured
from pingpilot.telemetry.health import Health, State

POLL_TIMEOUT = timedelta(seconds=25)
_MARGIN = 10  # seconds an answer may take, beyond the time a poll was told to wait
_GRACE = 3.0  # seconds that replies under way may take when the bot stops
_LAST_ANSWER = 1.0  # second; where Telegram is out of reach, another daemon waits to take over
_LONGEST_BACKOFF = 30.0
HANDLERS = 8  # updates handled at once

log = structlog.get_logger(__name__)


class TelegramBot:
    """Talks with people, in private chats and in rooms.

    Unless Telegram is to post to the `webhook`, it polls, on its own: python-telegram-bot's updater dies
    silently when a token is revoked.
    """

    name = TELEGRAM.name

    def __init__(
        self,
        *,
        token: SecretStr,
        api_url: str,
        commands: Commands,
        health: Health,
        webhook: Webhook,
        polls: bool = True,
        may_act: Callable[[], bool] = lambda: True,
        lane: int = 0,
        gives_up_after: timedelta | None = None,
        place: Place = anywhere,
    ) -> None:
        self._lane = lane
        self._token = token
        self._may_act = may_act
        self._gives_up_after = gives_up_after
        self._place = place
        self._api_url = api_url
        self._commands = commands
        self._health = health
        self._webhook = webhook
        self._polls = polls
        self._offset = 0

    async def run(self) -> None:
        """Serve until cancelled. Raises `Misconfigured` for a refused token, `TelegramError` at the start."""
        application = await asyncio.to_thread(self._new_application)  # makes a TLS context: 35 ms
        chats = ChatCommands(self._commands)
        chats.add_to(application)
        bot = application.bot
        try:
            await application.initialize()
            await bot.set_my_commands([BotCommand(each.name, each.description) for each in MENU])
            in_groups = [BotCommand(each.name, each.description) for each in ROOM_MENU]
            await bot.set_my_commands(in_groups, scope=BotCommandScopeAllGroupChats())
            await Fact.keep(fact_of_bot(TELEGRAM_USERNAME, self._lane), bot.username)
            await application.start()
            if self._polls:
                await self._poll(application)
            await self._webhook.serve(application, most=HANDLERS)
        except InvalidToken as exc:
            raise Misconfigured("Telegram refuses the bot's token: set a valid one.") from exc
        finally:
            chats.close()
            await self._stop(application)

    def _new_application(self) -> App:
        request = new_request(
            partial(BotRequests, place=self._place),
            connections=HANDLERS + 1,
            timeout=_MARGIN,
            may_act=self._may_act,
            gives_up_after=self._gives_up_after,
        )
        return (
            ApplicationBuilder()
            .token(self._token.get_secret_value())
            .base_url(f"{self._api_url}/bot")
            .request(request)
            .get_updates_request(request)
            .concurrent_updates(HANDLERS)
            .updater(None)
            .build()
        )

    async def _poll(self, application: App) -> None:
        await application.bot.delete_webhook()
        self._webhook.begin_term()
        await self._webhook.handle_waiting(application, most=MOST_WAITING)  # what came before it was deleted
        backoff, is_up = 1.0, False
        while True:
            try:
                updates: tuple[Update, ...] = await application.bot.get_updates(
                    offset=self._offset,
                    timeout=POLL_TIMEOUT if is_up else 0,  # the first answers at once: is it up?
                    allowed_updates=WANTED,
                )
            except InvalidToken:
                raise
            except RetryAfter as exc:
                await asyncio.sleep(pause_named_by(exc).total_seconds())
            except TelegramError as exc:
                is_up = False
                self._health.report(self.name, State.RETRYING, f"Telegram: {exc.message}")
                await asyncio.sleep(backoff * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load
                backoff = min(backoff * 2, _LONGEST_BACKOFF)
            else:
                is_up, backoff = True, 1.0
                self._health.report(self.name, State.UP)
                for update in updates:
                    self._offset = update.update_id + 1
                    await application.update_queue.put(update)

    async def _stop(self, application: App) -> None:
        """Take the application down step by step; a step that fails must not keep the next from running."""
        if self._offset:
            # What was received is acknowledged by the next poll only, and else handled again next time
            try:
                async with asyncio.timeout(_LAST_ANSWER):
                    await application.bot.get_updates(offset=self._offset, limit=1, timeout=0)
            except (TelegramError, TimeoutError):
                log.info("Telegram was not told which messages were received")
        # The bot has a step of its own: an application that never came up leaves its connections open
        for step in (application.stop, application.shutdown, application.bot.shutdown):
            try:
                if step != application.stop or application.running:
                    async with asyncio.timeout(_GRACE):
                        await step()
            except TimeoutError:
                log.warning("Replies under way were cut off")
            except Exception:
                log.exception("The Telegram bot did not stop cleanly")
