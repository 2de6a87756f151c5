"""Servers ("guilds") of the Discord stand-in: channels, threads, roles, members, and what each may do where.

Discord's developer documentation, "Permissions" (whose algorithm is followed step by step), "Threads" and
"Channel Resource".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pingpilot.sandbox.discord.model import DiscordUser, Json, snowflake
from pingpilot.sandbox.discord.permissions import (
    ALL_PERMISSIONS,
    EVERYBODY,
    NOTHING,
    THREADS,
    WITHOUT_MESSAGES,
    ChannelKind,
    Permission,
)
from pingpilot.sandbox.server import Refused

HIDDEN, OBFUSCATED = "___hidden___", 1 << 17
"""Name and flag of a channel that a bot can't see, as the gateway tells of it."""


@dataclass(slots=True)
class Overwrite:
    """What a channel allows or denies to a role or a member, over what they have in the server."""

    allow: Permission = NOTHING
    deny: Permission = NOTHING


@dataclass(eq=False, slots=True)
class Role:
    """A role; that of the server's own id is @everyone."""

    id: str
    name: str
    permissions: Permission
    mentionable: bool = False


@dataclass(eq=False, slots=True)
class GuildChannel:
    """A channel or thread of a server. `members` are those of a thread."""

    guild: "Guild" = field(repr=False)
    name: str
    kind: ChannelKind = ChannelKind.TEXT
    parent: "GuildChannel | None" = None
    id: str = field(default_factory=snowflake)
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    archived: bool = False
    locked: bool = False
    members: set[str] = field(default_factory=set)

    @property
    def is_thread(self) -> bool:
        return self.kind in THREADS

    def allow(self, who: str, permissions: Permission) -> None:
        """Allow something here to a role or a member, by id."""
        overwrite = self.overwrites.setdefault(who, Overwrite())
        overwrite.allow |= permissions
        overwrite.deny &= ~permissions

    def deny(self, who: str, permissions: Permission) -> None:
        """Deny something here to a role or a member, by id."""
        overwrite = self.overwrites.setdefault(who, Overwrite())
        overwrite.deny |= permissions
        overwrite.allow &= ~permissions

    def check_commands_of(self, user_id: str) -> None:
        """Raise `ValueError` where Discord's client offers somebody no commands."""
        if not self.guild.sees(user_id, self):
            raise ValueError(f"{user_id} doesn't see #{self.name}")
        if self.kind in WITHOUT_MESSAGES:
            raise ValueError(f"Nobody writes in #{self.name} itself")
        if self.archived:
            raise ValueError("There are no commands in an archived thread")
        if not self.guild.permissions_of(user_id, self) & Permission.USE_APPLICATION_COMMANDS:
            raise ValueError(f"{user_id} may not use commands in #{self.name}")

    def add_thread(
        self, name: str, kind: ChannelKind = ChannelKind.PUBLIC_THREAD, *, members: tuple[str, ...] = ()
    ) -> "GuildChannel":
        """Begin a thread here, or a post in a forum."""
        thread = GuildChannel(self.guild, name, kind, parent=self, members=set(members))
        self.guild.channels[thread.id] = thread
        return thread

    def as_json(self) -> Json:
        """Return the channel object."""
        shown: Json = {
            "id": self.id,
            "type": int(self.kind),
            "guild_id": self.guild.id,
            "name": self.name,
            "parent_id": self.parent.id if self.parent else None,
            "flags": 0,
            "last_message_id": None,
            "rate_limit_per_user": 0,
        }
        if not self.is_thread:
            overwrites = [
                {
                    "id": who,
                    "type": int(who not in self.guild.roles),  # 0 for a role, 1 for a member
                    "allow": str(int(each.allow)),
                    "deny": str(int(each.deny)),
                }
                for who, each in self.overwrites.items()
            ]
            voice = {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
            in_voice = self.kind in (ChannelKind.VOICE, ChannelKind.STAGE)
            shown |= {"position": 0, "nsfw": False, "permission_overwrites": overwrites, "topic": None}
            return shown | (voice if in_voice else {})
        metadata = {
            "archived": self.archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": "2026-01-01T00:00:00+00:00",
            "locked": self.locked,
        }
        if self.kind is ChannelKind.PRIVATE_THREAD:
            metadata["invitable"] = True
        counts = {"message_count": 0, "member_count": len(self.members), "total_message_sent": 0}
        return shown | counts | {"owner_id": self.guild.owner_id, "thread_metadata": metadata}


class Guild:
    """A server, and who may do what in it."""

    def __init__(self, name: str, *, owner: DiscordUser | None = None) -> None:
        self.id = snowflake()
        self.name = name
        self.owner_id = owner.id if owner else snowflake()
        self.available = True
        self.roles = {self.id: Role(self.id, "@everyone", EVERYBODY)}
        self.channels: dict[str, GuildChannel] = {}
        self._members: dict[str, set[str]] = {self.owner_id: set()}

    def add_role(self, name: str, permissions: Permission = NOTHING, *, mentionable: bool = False) -> Role:
        """Add a role."""
        role = Role(snowflake(), name, permissions, mentionable)
        self.roles[role.id] = role
        return role

    def add_member(self, user_id: str, *roles: Role) -> None:
        """Let somebody in, or give one who is in other roles."""
        self._members[user_id] = {role.id for role in roles}

    def remove_member(self, user_id: str) -> None:
        """Let somebody leave; threads forget them."""
        self._members.pop(user_id, None)
        for channel in self.channels.values():
            channel.members.discard(user_id)

    def has_member(self, user_id: str) -> bool:
        return user_id in self._members

    def add_channel(
        self, name: str, kind: ChannelKind = ChannelKind.TEXT, *, parent: GuildChannel | None = None
    ) -> GuildChannel:
        """Add a channel."""
        channel = GuildChannel(self, name, kind, parent=parent)
        self.channels[channel.id] = channel
        return channel

    def permissions_of(self, user_id: str, channel: GuildChannel) -> Permission:
        """Return what a member may do in a channel, by "Permissions", with what is denied by implication."""
        roles = self._members[user_id]
        if user_id == self.owner_id:
            return ALL_PERMISSIONS
        permissions = self.roles[self.id].permissions
        for role in roles:
            permissions |= self.roles[role].permissions
        if permissions & Permission.ADMINISTRATOR:
            return ALL_PERMISSIONS
        place = channel.parent if channel.is_thread and channel.parent else channel
        if everyone := place.overwrites.get(self.id):
            permissions = permissions & ~everyone.deny | everyone.allow
        own = [place.overwrites[role] for role in roles if role in place.overwrites]
        for each in own:
            permissions &= ~each.deny
        for each in own:
            permissions |= each.allow
        if member := place.overwrites.get(user_id):
            permissions = permissions & ~member.deny | member.allow
        return _with_implied(permissions, channel)

    def sees(self, user_id: str, channel: GuildChannel) -> bool:
        """Whether somebody can see a channel: a private thread shows to its members and to moderators."""
        if not self.has_member(user_id):
            return False
        permissions = self.permissions_of(user_id, channel)
        if channel.kind is ChannelKind.PRIVATE_THREAD and user_id not in channel.members:
            return bool(permissions & Permission.MANAGE_THREADS)
        return bool(permissions & Permission.VIEW_CHANNEL)

    def check_seen(self, user_id: str, channel: GuildChannel) -> None:
        """Raise `Refused` as Discord answers where somebody can't see a channel."""
        if not self.sees(user_id, channel):
            raise Refused(403, {"message": "Missing Access", "code": 50001})

    def check_sending(self, user_id: str, channel: GuildChannel, payload: Json) -> None:
        """Raise `Refused` as Discord answers where somebody may not send this into a channel."""
        self.check_seen(user_id, channel)
        if channel.kind in WITHOUT_MESSAGES:
            raise Refused(400, {"message": "Cannot send messages in a non-text channel", "code": 50008})
        permissions = self.permissions_of(user_id, channel)
        needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        if payload.get("embeds"):
            needed |= Permission.EMBED_LINKS
        if permissions & needed != needed:
            raise Refused(403, {"message": "Missing Permissions", "code": 50013})
        if channel.locked and not permissions & Permission.MANAGE_THREADS:
            if channel.archived:
                raise Refused(400, {"message": "Thread is archived", "code": 50083})
            raise Refused(403, {"message": "This thread is locked", "code": 160005})

    def told_of(self, user_id: str, channel: GuildChannel) -> Json:
        """Return a channel as the gateway tells a bot of it: obfuscated where it can't see it.

        "Obfuscated Channels", in force since 16 November 2026.
        """
        if self.sees(user_id, channel):
            return channel.as_json()
        hidden = {"id": self.id, "type": 0, "allow": "0", "deny": str(int(Permission.VIEW_CHANNEL))}
        hiding = {"name": HIDDEN, "flags": OBFUSCATED, "topic": None, "permission_overwrites": [hidden]}
        return channel.as_json() | hiding

    def threads_of(self, user_id: str) -> Iterator[GuildChannel]:
        """Yield the active threads that somebody sees."""
        for channel in self.channels.values():
            if channel.is_thread and not channel.archived and self.sees(user_id, channel):
                yield channel

    def as_json(self) -> Json:
        """Return the guild object."""
        roles = [
            {
                "id": role.id,
                "name": role.name,
                "permissions": str(int(role.permissions)),
                "mentionable": role.mentionable,
                "color": 0,
                "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
                "hoist": False,
                "managed": False,
                "position": position,
                "flags": 0,
            }
            for position, role in enumerate(self.roles.values())
        ]
        return {
            "id": self.id,
            "name": self.name,
            "owner_id": self.owner_id,
            "roles": roles,
            "emojis": [],
            "features": [],
            "icon": None,
            "preferred_locale": "en-US",
        }

    def create_event(self, bot: Json) -> Json:
        """Return the data of a GUILD_CREATE event."""
        channels = [each for each in self.channels.values() if not each.is_thread]
        return self.as_json() | {
            "unavailable": False,
            "large": False,
            "joined_at": "2026-01-01T00:00:00+00:00",
            "member_count": len(self._members),
            "members": [self.member_json(bot)],
            "channels": [self.told_of(bot["id"], each) for each in channels],
            "threads": [each.as_json() for each in self.threads_of(bot["id"])],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
        }

    def member_json(self, user: Json) -> Json:
        """Return the guild member object of a member."""
        return {
            "user": user,
            "nick": None,
            "avatar": None,
            "roles": sorted(self._members[user["id"]]),
            "joined_at": "2026-01-01T00:00:00+00:00",
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
        }


def _with_implied(permissions: Permission, channel: GuildChannel) -> Permission:
    """Return the permissions without those that a missing one denies by implication."""
    in_voice = channel.kind in (ChannelKind.VOICE, ChannelKind.STAGE)
    if not permissions & Permission.VIEW_CHANNEL or (in_voice and not permissions & Permission.CONNECT):
        return NOTHING
    sending = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    if not permissions & sending:
        permissions &= ~(Permission.MENTION_EVERYONE | Permission.EMBED_LINKS)
    return permissions
