"""Discord's checks of a message, with the answers it gives.

Limits: Discord's API reference, "Create Message" and "Embed Limits".
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pingpilot.sandbox.discord.components import Path, Problem, component_problems
from pingpilot.sandbox.discord.model import Json
from pingpilot.sandbox.server import Refused
from pingpilot.sandbox.text import utf16_length

MAX_CONTENT = 2000
MAX_NONCE = 25
MAX_EMBEDS = 10
MAX_FIELDS = 25
MAX_EMBED_TEXT = 6000
MAX_URL = 2048
MAX_COLOR = 0xFFFFFF

EMBED_TEXTS: dict[Path, int] = {
    ("title",): 256,
    ("description",): 4096,
    ("footer", "text"): 2048,
    ("author", "name"): 256,
}
EMBED_URLS: tuple[Path, ...] = (
    ("url",),
    ("author", "url"),
    ("author", "icon_url"),
    ("footer", "icon_url"),
    ("image", "url"),
    ("thumbnail", "url"),
)
FIELD_TEXTS = {"name": 256, "value": 1024}


def check_message(payload: Json) -> None:
    """Raise `Refused` as Discord answers if it would not take this message."""
    problems = list(_problems(payload))
    if problems:
        raise Refused(400, invalid_form(problems))
    if _is_empty(payload):
        raise Refused(400, {"message": "Cannot send an empty message", "code": 50006})


def invalid_form(problems: list[Problem]) -> Json:
    """Return error 50035 with each problem at its place in the tree."""
    errors: Json = {}
    for path, code, message in problems:
        node = errors
        for step in path:
            node = node.setdefault(step, {})
        node.setdefault("_errors", []).append({"code": code, "message": message})
    return {"message": "Invalid Form Body", "code": 50035, "errors": errors}


def _problems(payload: Json) -> Iterator[Problem]:
    yield from _too_long(("content",), payload.get("content"), MAX_CONTENT)
    nonce = payload.get("nonce")
    yield from _too_long(("nonce",), None if nonce is None else str(nonce), MAX_NONCE)
    embeds = payload.get("embeds") or []
    if len(embeds) > MAX_EMBEDS:
        yield ("embeds",), "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_EMBEDS} in length."
    for index, embed in enumerate(embeds):
        yield from _embed_problems(("embeds", str(index)), embed)
    if sum(utf16_length(text) for embed in embeds for text in _texts(embed)) > MAX_EMBED_TEXT:
        sentence = f"Embed size exceeds maximum size of {MAX_EMBED_TEXT}"
        yield ("embeds",), "MAX_EMBED_SIZE_EXCEEDED", sentence
    yield from component_problems(payload.get("components") or [])


def _embed_problems(at: Path, embed: Json) -> Iterator[Problem]:
    for path, limit in EMBED_TEXTS.items():
        yield from _too_long(at + path, _look_up(embed, path), limit)
    for path in EMBED_URLS:
        yield from _bad_url(at + path, _look_up(embed, path))
    color = embed.get("color")
    if color is not None and not 0 <= color <= MAX_COLOR:
        sentence = f"int value should be between 0 and {MAX_COLOR}."
        yield (*at, "color"), "NUMBER_TYPE_MAX", sentence
    fields = embed.get("fields") or []
    if len(fields) > MAX_FIELDS:
        yield (*at, "fields"), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FIELDS} or fewer in length."
    for index, item in enumerate(fields):
        yield from _field_problems((*at, "fields", str(index)), item)


def _field_problems(at: Path, item: Json) -> Iterator[Problem]:
    for name, limit in FIELD_TEXTS.items():
        if not str(item.get(name) or "").strip():
            yield (*at, name), "BASE_TYPE_REQUIRED", "This field is required"
        yield from _too_long((*at, name), item.get(name), limit)


def _too_long(at: Path, text: str | None, limit: int) -> Iterator[Problem]:
    if text is not None and utf16_length(text) > limit:
        yield at, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length."


def _bad_url(at: Path, url: str | None) -> Iterator[Problem]:
    if url is None:
        return
    if len(url) > MAX_URL:
        yield at, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_URL} or fewer in length."
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit("https:"), None
    if parts.scheme not in ("http", "https"):
        sentence = f"Scheme \"{parts.scheme}\" must be one of ('http', 'https')."
        yield at, "URL_TYPE_INVALID_SCHEME", sentence
    elif not host or any(character.isspace() for character in url):
        yield at, "URL_TYPE_INVALID_URL", "Not a well formed URL."


def _texts(embed: Json) -> Iterator[str]:
    for path in EMBED_TEXTS:
        yield _look_up(embed, path) or ""
    for item in embed.get("fields") or []:
        yield from (str(item.get(name) or "") for name in FIELD_TEXTS)


def _look_up(embed: Json, path: Path) -> Any:
    node: Any = embed
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _is_empty(payload: Json) -> bool:
    if (payload.get("content") or "").strip():
        return False
    if any(payload.get(part) for part in ("components", "sticker_ids", "poll")):
        return False
    return not any(_shows_something(embed) for embed in payload.get("embeds") or [])


def _shows_something(embed: Json) -> bool:
    pictures = (embed.get("image"), embed.get("thumbnail"), embed.get("fields"))
    return any(_texts(embed)) or any(pictures)
