"""Whom a message calls: its mentions, as far as `allowed_mentions` and the author's permissions let them.

Discord's developer documentation, "Allowed Mentions Object".
"""

import re
from collections.abc import Iterator

from pingpilot.sandbox.discord.guilds import GuildChannel
from pingpilot.sandbox.discord.model import Json
from pingpilot.sandbox.discord.permissions import Permission
from pingpilot.sandbox.server import Refused

KINDS = ("roles", "users", "everyone")
MOST_NAMED = 100

_MENTION = re.compile(r"@(?P<all>everyone|here)|<@&(?P<role>\d+)>|<@!?(?P<user>\d+)>")


def check_allowed_mentions(allowed: Json | None) -> None:
    """Raise `Refused` as Discord answers to an `allowed_mentions` that contradicts itself."""
    if allowed is None:
        return
    parse = allowed.get("parse") or []
    problem = None
    if unknown := [each for each in parse if each not in KINDS]:
        problem = ("BASE_TYPE_CHOICES", f"Value {unknown} must be one of {KINDS}.")
    for kind in ("roles", "users"):
        named = allowed.get(kind) or []
        if len(named) > MOST_NAMED:
            problem = ("BASE_TYPE_MAX_LENGTH", f"Must be {MOST_NAMED} or fewer in length.")
        if not all(str(each).isdigit() for each in named):
            problem = ("NUMBER_TYPE_COERCE", "Value is not snowflake.")
        if named and kind in parse:
            sentence = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            problem = ("MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", sentence)
    if problem:
        code, message = problem
        errors = {"allowed_mentions": {"_errors": [{"code": code, "message": message}]}}
        raise Refused(400, {"message": "Invalid Form Body", "code": 50035, "errors": errors})


def pinged_by(payload: Json, author_id: str, channel: GuildChannel | None) -> tuple[str, ...]:
    """Return whom the message calls, each once; in a direct message (no channel) a user at most.

    Only the content counts: what stands in an embed calls nobody.
    """
    return tuple(dict.fromkeys(_pings(payload, author_id, channel)))


def _pings(payload: Json, author_id: str, channel: GuildChannel | None) -> Iterator[str]:
    allowed = payload.get("allowed_mentions")

    def lets(kind: str, wanted: str | None = None) -> bool:
        if allowed is None or kind in (allowed.get("parse") or []):
            return True
        return wanted is not None and wanted in map(str, allowed.get(kind) or [])

    permissions = channel.guild.permissions_of(author_id, channel) if channel else Permission(0)
    for mention in _MENTION.finditer(payload.get("content") or ""):
        if user := mention["user"]:
            if lets("users", user):
                yield f"user {user}"
        elif channel is None:
            continue
        elif word := mention["all"]:
            if lets("everyone") and permissions & Permission.MENTION_EVERYONE:
                yield word
        elif (role := channel.guild.roles.get(mention["role"])) and role.id != channel.guild.id:
            callable_ = role.mentionable or permissions & Permission.MENTION_EVERYONE
            if lets("roles", role.id) and callable_:
                yield f"role {role.id}"
