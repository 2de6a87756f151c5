"""From "/link CODE", as a person types it, to the options of a registered command."""

from typing import Any

from pingpilot.sandbox.discord.model import Json

SUB_COMMAND, SUB_COMMAND_GROUP, STRING, INTEGER, BOOLEAN, NUMBER = 1, 2, 3, 4, 5, 10
CHAT_INPUT = 1
CONTEXTS = {"guild": 0, "dm": 1, "private": 2}
"""Interaction contexts: a server, the direct messages with the bot, any other private chat."""


def find_command(commands: list[Json], name: str, *, where: str) -> Json:
    """Return the command as it was registered; `ValueError` names those there are in that place."""
    offered = {
        command["name"]: command
        for command in commands
        if command.get("type", CHAT_INPUT) == CHAT_INPUT
        and (command.get("contexts") is None or CONTEXTS[where] in command["contexts"])
    }
    if name not in offered:
        there_are = ", ".join(f"/{known}" for known in offered) or "none"
        raise ValueError(f"There is no command /{name} here; there are: {there_are}")
    return offered[name]


def fill_options(options: list[Json], words: list[str], *, usage: str) -> list[Json]:
    """Give each option its word, in order; the last one takes the rest if it is text.

    Raises `ValueError` where Discord's client would not let the person send the command.
    """
    if options and options[0]["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP):
        offered = {option["name"]: option for option in options}
        if not words or words[0] not in offered:
            raise ValueError(f"{usage} needs one of: {', '.join(offered)}")
        chosen = offered[words[0]]
        filled = fill_options(chosen.get("options") or [], words[1:], usage=f"{usage} {words[0]}")
        return [{"name": chosen["name"], "type": chosen["type"], "options": filled}]
    if options and options[-1]["type"] == STRING and len(words) > len(options):
        last = len(options) - 1
        words = [*words[:last], " ".join(words[last:])]
    if len(words) > len(options):
        raise ValueError(f"{usage} takes at most {len(options)} word{'' if len(options) == 1 else 's'}")
    missing = [option["name"] for option in options[len(words) :] if option.get("required")]
    if missing:
        raise ValueError(f"{usage} needs {', '.join(missing)}")
    return [
        {"name": option["name"], "type": option["type"], "value": _convert(option, word)}
        for option, word in zip(options, words, strict=False)
    ]


def _convert(option: Json, word: str) -> Any:
    """Return what the client sends for a word. Raises `ValueError` if it is none of the option's choices."""
    if choices := option.get("choices"):
        for choice in choices:
            if word.lower() in (str(choice["name"]).lower(), str(choice["value"]).lower()):
                return choice["value"]
        raise ValueError(f"{option['name']} is one of: {', '.join(str(each['name']) for each in choices)}")
    if option["type"] == INTEGER:
        return int(word)
    if option["type"] == NUMBER:
        return float(word)
    if option["type"] == BOOLEAN:
        return word.lower() in ("true", "yes", "on", "1")
    return word
