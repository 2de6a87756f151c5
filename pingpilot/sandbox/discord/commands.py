"""From "/link CODE", as a person types it, to the options of a registered command."""

import re
from typing import Any

from pingpilot.sandbox.discord.model import Json
from pingpilot.sandbox.server import Refused

SUB_COMMAND, SUB_COMMAND_GROUP, STRING, INTEGER, BOOLEAN, NUMBER = 1, 2, 3, 4, 5, 10
CHAT_INPUT = 1
MOST_OPTIONS, LONGEST_DESCRIPTION = 25, 100
CONTEXTS = {"guild": 0, "dm": 1, "private": 2}
"""Interaction contexts: a server, the direct messages with the bot, any other private chat."""
_NAME = re.compile(r"[-_'\w]{1,32}")


def check_commands(commands: list[Json]) -> None:
    """Raise `Refused` as Discord answers to commands that it would not register."""
    for command in commands:
        options = command.get("options") or []
        required = [bool(each.get("required")) for each in options]
        texts = [command, *options] if command.get("type", CHAT_INPUT) == CHAT_INPUT else []
        if (
            required != sorted(required, reverse=True)  # those that must be given come first
            or len(options) > MOST_OPTIONS
            or any(len(each.get("choices") or []) > MOST_OPTIONS for each in options)
            or not all(_NAME.fullmatch(each["name"]) for each in texts)
            or not all(0 < len(each.get("description") or "") <= LONGEST_DESCRIPTION for each in texts)
        ):
            raise Refused(400, {"message": "Invalid Form Body", "code": 50035})


def find_command(commands: list[Json], name: str, *, context: int) -> Json:
    """Return the command as it was registered; `ValueError` names those there are in that place."""
    offered = {
        command["name"]: command
        for command in commands
        if command.get("type", CHAT_INPUT) == CHAT_INPUT
        and (command.get("contexts") is None or context in command["contexts"])
    }
    if name not in offered:
        there_are = ", ".join(f"/{known}" for known in offered) or "none"
        raise ValueError(f"There is no command /{name} here; there are: {there_are}")
    return offered[name]


def fill_options(options: list[Json], words: list[str], *, usage: str) -> list[Json]:
    """Give each option what stands behind its name ("where:this channel"), as Discord's client shows it.

    Words before the first name go to the options without choices, in order; the last of these takes the rest
    if it is text. Raises `ValueError` where Discord's client would not let the person send the command.
    """
    if options and options[0]["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP):
        offered = {option["name"]: option for option in options}
        if not words or words[0] not in offered:
            raise ValueError(f"{usage} needs one of: {', '.join(offered)}")
        chosen = offered[words[0]]
        filled = fill_options(chosen.get("options") or [], words[1:], usage=f"{usage} {words[0]}")
        return [{"name": chosen["name"], "type": chosen["type"], "options": filled}]
    words, given = _split_named(words, {option["name"] for option in options})
    free = [each for each in options if each["name"] not in given and not each.get("choices")]
    if free and free[-1]["type"] == STRING and len(words) > len(free):
        last = len(free) - 1
        words = [*words[:last], " ".join(words[last:])]
    if len(words) > len(free):
        raise ValueError(f"{usage} takes at most {len(free)} word{'' if len(free) == 1 else 's'}")
    given |= {option["name"]: word for option, word in zip(free, words, strict=False)}
    missing = [each["name"] for each in options if each.get("required") and each["name"] not in given]
    if missing:
        raise ValueError(f"{usage} needs {', '.join(missing)}")
    return [
        {"name": option["name"], "type": option["type"], "value": _convert(option, given[option["name"]])}
        for option in options
        if option["name"] in given
    ]


def _split_named(words: list[str], names: set[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words before the first option that is named, and those behind each name."""
    before: list[str] = []
    given: dict[str, list[str]] = {}
    into = before
    for word in words:
        name, colon, rest = word.partition(":")
        if colon and name in names and name not in given:
            into = given[name] = [rest] if rest else []
        else:
            into.append(word)
    return before, {name: " ".join(each) for name, each in given.items()}


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
