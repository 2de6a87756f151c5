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
# An answer or updates they can't read, whole: texts and chat ids; we say what fails
_REPEAT_PEOPLE = ("telegram.request", "telegram.ext.ExtBot")
_WARNS_NEEDLESSLY = (
    *("discord.client", "discord.state"),  # no voice, no guilds intent
    "asyncpg.pool",  # a database that is away, with a traceback each time: we say so once
)


LONGEST_TEXT, LONGEST_TRACEBACK = 2000, 10_000
"""Characters of one text of a record, and of its traceback; what is between head and end is left out."""
_ENOUGH = 4 * LONGEST_TRACEBACK  # characters that are searched for secrets: more could not be shown anyway
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROLS_NOT_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _cut(text: str, limit: int) -> str:
    """Return a text of up to so many characters and a word on the rest, with its end: that says most."""
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]} [… {len(text) - limit:,} characters left out …] {text[-limit // 2 :]}"


class _Bound:
    """Cuts long texts and writes control characters out, so that nobody's words look like a line of ours.

    JSON writes out most by itself. A traceback has several lines: those are indented.
    """

    def __init__(self, *, is_json: bool) -> None:
        self._controls = _CONTROLS_NOT_IN_JSON if is_json else _CONTROLS
        self._is_json = is_json

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {name: self._bounded(name, value) for name, value in event.items()}

    def _bounded(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if name != "exception":
            return self._escaped(_cut(value, LONGEST_TEXT))
        text = _cut(value, LONGEST_TRACEBACK)
        if self._is_json:
            return self._escaped(text)
        return "\n".join(f"  {self._escaped(line)}" for line in text.split("\n"))

    def _escaped(self, text: str) -> str:
        return self._controls.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Hide:
    """Takes secrets out of every text of a record, tracebacks included."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = "|".join(re.escape(secret) for secret in secrets if secret)
        self._known = re.compile(known) if known else None

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {name: self._clean(value) for name, value in event.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, int | float | bool) or value is None:
            return value
        text = _cut(value if isinstance(value, str) else str(value), _ENOUGH)
        text = _SECRET_SHAPES.sub(_HIDDEN, text)
        return self._known.sub(_HIDDEN, text) if self._known else text


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
                _Bound(is_json=format_ == "json"),
                renderer,
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name in _WARNS_NEEDLESSLY:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in _REPEAT_PEOPLE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger("aiohttp.server").addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a record of aiohttp is about more than a client that does not speak HTTP properly, or left.

    The former get a 400; either could fill the log with tracebacks otherwise.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))
