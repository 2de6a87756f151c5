"""From "/link CODE", as a person types it, to the options of a registered command."""

from typing import Any

from pingpilot.sandbox.discord.model import Json

SUB_COMMAND, SUB_COMMAND_GROUP, STRING, INTEGER, BOOLEAN, NUMBER = 1, 2, 3, 4, 5, 10
CHAT_INPUT = 1
CONTEXTS = {"guild": 0, "dm": 1, "private": 2}
"""Interaction contexts: a server, the direct messages with the bot, any other private chat."""


def find_command(commands: list[Json], name: str, *, where: str) -> Json:
    """Return the command as it was registered; `ValueError` says which there are in that place."""
    offered = {c["name"]: c for c in commands if _is_offered(c, where)}
    if name not in offered:
        there_are = ", ".join(f"/{known}" for known in offered) or "none"
        raise ValueError(f"no command /{name} in {where}; there are: {there_are}")
    return offered[name]


def fill_options(options: list[Json], words: list[str], *, usage: str) -> list[Json]:
    """Give each option its word, in order; the last one takes the rest if it is text.

    Raises `ValueError` where Discord's client would not let the person send the command.
    """
    if options and options[0]["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP):
        return [_fill_subcommand(options, words, usage=usage)]
    values = _deal(options, words)
    if len(values) > len(options):
        raise ValueError(f"{usage} takes {len(options)} words at most")
    missing = [option["name"] for option in options[len(values) :] if option.get("required")]
    if missing:
        raise ValueError(f"{usage} lacks {', '.join(missing)}")
    return [
        {"name": option["name"], "type": option["type"], "value": _convert(option, value)}
        for option, value in zip(options, values, strict=False)
    ]


def _is_offered(command: Json, where: str) -> bool:
    contexts = command.get("contexts")
    return command.get("type", CHAT_INPUT) == CHAT_INPUT and (contexts is None or CONTEXTS[where] in contexts)


def _deal(options: list[Json], words: list[str]) -> list[str]:
    if options and options[-1]["type"] == STRING and len(words) > len(options):
        last = len(options) - 1
        return [*words[:last], " ".join(words[last:])]
    return words


def _fill_subcommand(options: list[Json], words: list[str], *, usage: str) -> Json:
    offered = {option["name"]: option for option in options}
    if not words or words[0] not in offered:
        raise ValueError(f"{usage} needs one of: {', '.join(offered)}")
    chosen = offered[words[0]]
    filled = fill_options(chosen.get("options") or [], words[1:], usage=f"{usage} {words[0]}")
    return {"name": chosen["name"], "type": chosen["type"], "options": filled}


def _convert(option: Json, word: str) -> Any:
    if option.get("choices"):
        return _choose(option, word)
    if option["type"] == INTEGER:
        return int(word)
    if option["type"] == NUMBER:
        return float(word)
    if option["type"] == BOOLEAN:
        return word.lower() in ("true", "yes", "on", "1")
    return word


def _choose(option: Json, word: str) -> Any:
    for choice in option["choices"]:
        if word.lower() in (str(choice["name"]).lower(), str(choice["value"]).lower()):
            return choice["value"]
    names = ", ".join(str(choice["name"]) for choice in option["choices"])
    raise ValueError(f"{option['name']} is one of: {names}")
