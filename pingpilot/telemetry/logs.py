"""Logging: structlog in front, the standard library's records through the same door, no secret past it."""

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor

_HIDDEN = "[hidden]"
# Our keys, and Telegram's tokens, which stand in the path of every call of its API
_SECRET_SHAPES = re.compile(r"pp_[0-9A-Za-z]{43}|bot\d+:[\w-]{20,}|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)")
_CHATTY = (
    *("httpx", "httpcore", "aiohttp.access", "discord", "telegram", "tortoise", "mail", "asyncio"),
    "aiosqlite",  # every statement with its values
)
_WARNS_NEEDLESSLY = (
    *("discord.client", "discord.state"),  # no voice, no guilds intent
    "asyncpg.pool",  # a database that is away, with a traceback each time: we say so once
)


class _Hide:
    """Takes secrets out of every text of a record, tracebacks included."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = "|".join(re.escape(secret) for secret in secrets if secret)
        self._known = re.compile(known) if known else None

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        clean: EventDict = {}
        for name, value in event.items():
            clean[name] = value
            if not isinstance(value, int | float | bool | None):
                text = _SECRET_SHAPES.sub(_HIDDEN, value if isinstance(value, str) else str(value))
                clean[name] = self._known.sub(_HIDDEN, text) if self._known else text
        return clean


def configure_logging(*, level: str, format_: str, secrets: Iterable[str]) -> None:
    """Send all log records to standard error as `console` lines or `json`, without any of `secrets`."""
    renderer: Processor = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    if format_ == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,  # the request's id
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),  # what is not wanted costs nothing
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Hide(secrets),
                renderer,
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name in _WARNS_NEEDLESSLY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("aiohttp.server").addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a record of aiohttp is about more than a client that does not speak HTTP properly.

    Those get a 400, and would fill the log with tracebacks otherwise.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
