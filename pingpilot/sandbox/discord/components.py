"""Discord's checks of the buttons of a message.

Limits: Discord's component reference, "Action Row" and "Button".
"""

from collections.abc import Iterator
from typing import Any

from pingpilot.sandbox.discord.model import Json, components_in
from pingpilot.sandbox.text import utf16_length

ACTION_ROW, BUTTON = 1, 2
LINK_STYLE = 5
MAX_ROWS, MAX_BUTTONS, MAX_LABEL, MAX_ID = 5, 5, 80, 100

Path = tuple[str, ...]
Problem = tuple[Path, str, str]
"""Where it is, Discord's code for it, and its sentence."""


def component_problems(rows: list[Json]) -> Iterator[Problem]:
    """Yield what Discord would not take; other components than rows of buttons are not looked at."""
    at: Path = ("components",)
    if len(rows) > MAX_ROWS:
        yield at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_ROWS} in length."
    for index, row in enumerate(rows):
        if row.get("type") == ACTION_ROW:
            yield from _row_problems((*at, str(index), "components"), row.get("components") or [])
    ids = [each["custom_id"] for each in components_in(rows) if "custom_id" in each]
    if len(set(ids)) < len(ids):
        yield at, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"


def _row_problems(at: Path, components: list[Json]) -> Iterator[Problem]:
    if not 0 < len(components) <= MAX_BUTTONS:
        yield at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_BUTTONS} in length."
    for index, component in enumerate(components):
        if component.get("type") == BUTTON:
            yield from _button_problems((*at, str(index)), component)


def _button_problems(at: Path, button: Json) -> Iterator[Problem]:
    if button.get("style") != LINK_STYLE:
        yield from _bad_length((*at, "custom_id"), button.get("custom_id"), MAX_ID)
    if not button.get("emoji"):
        yield from _bad_length((*at, "label"), button.get("label"), MAX_LABEL)


def _bad_length(at: Path, text: Any, limit: int) -> Iterator[Problem]:
    if not 0 < utf16_length(str(text or "")) <= limit:
        yield at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {limit} in length."
