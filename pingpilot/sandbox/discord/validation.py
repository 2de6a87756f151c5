"""Discord's checks of a message, with the answers it gives.

Limits: Discord's API reference, "Create Message" and "Embed Limits", and its component reference, "Action
Row" and "Button".
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pingpilot.sandbox.discord.model import Json, components_in
from pingpilot.sandbox.server import Refused, utf16_length

Path = tuple[str, ...]
Problem = tuple[Path, str, str]
"""Where it is, Discord's code for it, and its sentence."""

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

ACTION_ROW, BUTTON = 1, 2
LINK_STYLE = 5
MAX_ROWS, MAX_BUTTONS, MAX_LABEL, MAX_ID, MAX_BUTTON_URL = 5, 5, 80, 100, 512


def check_message(payload: Json) -> None:
    """Raise `Refused` as Discord answers if it would not take this message."""
    errors: Json = {}
    for path, code, message in _problems(payload):
        node = errors
        for step in path:
            node = node.setdefault(step, {})
        node.setdefault("_errors", []).append({"code": code, "message": message})
    if errors:
        raise Refused(400, {"message": "Invalid Form Body", "code": 50035, "errors": errors})
    shown = [payload.get(part) for part in ("components", "sticker_ids", "poll")]
    for embed in payload.get("embeds") or []:
        shown += [*_texts(embed), embed.get("image"), embed.get("thumbnail"), embed.get("fields")]
    if not (payload.get("content") or "").strip() and not any(shown):
        raise Refused(400, {"message": "Cannot send an empty message", "code": 50006})


def _problems(payload: Json) -> Iterator[Problem]:
    yield from _too_long(("content",), payload.get("content"), MAX_CONTENT)
    nonce = payload.get("nonce")
    yield from _too_long(("nonce",), None if nonce is None else str(nonce), MAX_NONCE)
    embeds = payload.get("embeds") or []
    if len(embeds) > MAX_EMBEDS:
        yield _bad_length(("embeds",), MAX_EMBEDS)
    for index, embed in enumerate(embeds):
        yield from _embed_problems(("embeds", str(index)), embed)
    if sum(utf16_length(text) for embed in embeds for text in _texts(embed)) > MAX_EMBED_TEXT:
        sentence = f"Embed size exceeds maximum size of {MAX_EMBED_TEXT}"
        yield ("embeds",), "MAX_EMBED_SIZE_EXCEEDED", sentence
    yield from _component_problems(payload.get("components") or [])


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
        for name, limit in FIELD_TEXTS.items():
            place = (*at, "fields", str(index), name)
            if not str(item.get(name) or "").strip():
                yield place, "BASE_TYPE_REQUIRED", "This field is required"
            yield from _too_long(place, item.get(name), limit)


def _component_problems(rows: list[Json]) -> Iterator[Problem]:
    """Yield what Discord would not take; other components than rows of buttons are not looked at."""
    at: Path = ("components",)
    if len(rows) > MAX_ROWS:
        yield _bad_length(at, MAX_ROWS)
    for number, row in enumerate(rows):
        if row.get("type") != ACTION_ROW:
            continue
        in_row = (*at, str(number), "components")
        components = row.get("components") or []
        if not 0 < len(components) <= MAX_BUTTONS:
            yield _bad_length(in_row, MAX_BUTTONS)
        for index, button in enumerate(components):
            if button.get("type") != BUTTON:
                continue
            leads_away = button.get("style") == LINK_STYLE
            if leads_away:
                url = button.get("url") or ""
                if "custom_id" in button or len(url) > MAX_BUTTON_URL:
                    yield _bad_length((*in_row, str(index), "url"), MAX_BUTTON_URL)
                yield from _bad_url((*in_row, str(index), "url"), url)
            texts = {
                "custom_id": None if leads_away else MAX_ID,
                "label": None if button.get("emoji") else MAX_LABEL,
            }
            for name, limit in texts.items():
                if limit is not None and not 0 < utf16_length(str(button.get(name) or "")) <= limit:
                    yield _bad_length((*in_row, str(index), name), limit)
    ids = [each["custom_id"] for each in components_in(rows) if "custom_id" in each]
    if len(set(ids)) < len(ids):
        yield at, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"


def _bad_length(at: Path, most: int) -> Problem:
    return at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length."


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
    # Discord takes a name without a dot, such as `localhost`, for no host
    elif not host or not ("." in host or ":" in host) or any(character.isspace() for character in url):
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
