"""Inline keyboards, as Telegram takes them (Bot API, "InlineKeyboardButton")."""

from pingpilot.sandbox.telegram.model import Json
from pingpilot.sandbox.telegram.params import Params, refused

MAX_DATA_BYTES = 64


def read_keyboard(params: Params) -> Json | None:
    """Return the reply markup; raises `Refused` for a button that Telegram would not take."""
    markup: Json | None = params.structure("reply_markup")
    for row in (markup or {}).get("inline_keyboard") or []:
        for button in row:
            _check(button)
    return markup


def _check(button: Json) -> None:
    data = button.get("callback_data")
    if data is not None and not 0 < len(str(data).encode()) <= MAX_DATA_BYTES:
        raise refused(400, "Bad Request: BUTTON_DATA_INVALID")
