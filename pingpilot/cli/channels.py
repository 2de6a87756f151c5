"""An account's channels as the commands take and show them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import typer

from models import Account, Destination, DestinationKind
from pingpilot.accounts.destinations import label_of
from pingpilot.accounts.preferences import ChannelChange
from pingpilot.accounts.quiet_hours import end_of_mute, hours_text
from pingpilot.channels import CHANNELS, channel_named, check_direct, direct_channels
from pingpilot.cli.runtime import day, names_in
from pingpilot.config import Settings
from pingpilot.errors import InvalidInput


def channel_changes(
    channels: str | None, quiet: list[str] | None, *, silently: bool
) -> dict[str, ChannelChange]:
    """Return what `--channels` and `--quiet` change. Raises `InvalidInput`."""
    on = None if channels is None else names_in(channels)
    hours: dict[str, str] = {}
    for text in quiet or []:
        name, equals, times = text.partition("=")
        if not equals:
            raise InvalidInput(f"'{text}' is not valid: write quiet hours like telegram=22:00-07:00.")
        hours[name] = times
    check_direct([*(on or ()), *hours])
    return {
        name: ChannelChange(None if on is None else name in on, hours.get(name), silently)
        for name in direct_channels()
        if on is not None or name in hours
    }


def check_configured(names: Iterable[str], settings: Settings) -> None:
    """Raise `InvalidInput` for a channel that is to be on and has no settings: nothing could be sent."""
    for name in names:
        if missing := settings.channels[channel_named(name).name].missing:
            raise InvalidInput(
                f"{CHANNELS[name].label} can't be switched on: this server is not set up for it. "
                f"Set {missing} first."
            )


def warning_for(account: Account, channels: Sequence[Destination], settings: Settings) -> str | None:
    """Return that the account's events go nowhere, and what to do; None where they go somewhere.

    Those of an account that has a channel to link are refused until then, which `link_hint` tells.
    """
    configured = settings.configured_channels
    on = [each for each in channels if each.enabled and each.channel in configured]
    if any(each.suspended_reason is None for each in on):
        return None
    direct = settings.direct_channels
    names = ",".join(direct) or "email"
    setting_up = "" if direct else "set up a channel (`pingpilot doctor` says how), then "
    return (
        f"No channel can be used, so events are stored and go nowhere: {setting_up}switch one on with "
        f"`pingpilot account set {account.email} --channels {names}`."
    )


def link_hint(account: Account, channels: Sequence[Destination]) -> list[str]:
    """Return a line on the channels that are still to be linked, none where there are none."""
    labels = [label_of(each.name) for each in channels if each.enabled and not each.address]
    if not labels:
        return []
    verb = "is" if len(labels) == 1 else "are"
    how = f"`pingpilot link-code --account {account.email}`"
    return [f"Events are refused until {' and '.join(labels)} {verb} linked: get a code with {how}."]


def print_warning(warning: str | None) -> None:
    if warning:
        typer.echo(f"Warning: {warning}", err=True)


def channel_lines(channels: Sequence[Destination], settings: Settings) -> list[str]:
    """Return a line for each destination: how it stands, and where it leads."""
    lines = []
    for each in channels:
        label = CHANNELS[each.channel].label
        name = label if each.name == each.channel else f"{each.name} ({label})"
        lines.append(f"{name}: {channel_text(each, settings)}")
    return lines


def channel_text(channel: Destination, settings: Settings) -> str:
    """Return how a destination stands, and where it leads."""
    missing = settings.channels[channel.channel].missing
    if not channel.enabled:
        return f"off, as {missing} is not set" if missing else "off"
    if missing:
        return f"on, but nothing is sent while {missing} is not set"
    if channel.suspended_reason:
        return f"suspended: {channel.suspended_reason}"
    if not channel.address:
        is_mailbox = channel.kind == DestinationKind.MAILBOX
        return f"{channel.title} has to confirm it" if is_mailbox else "on, not linked yet"
    text = f"on, {channel.title or channel.username or channel.address}"
    if channel.quiet_from is not None and channel.quiet_until is not None:
        start, end = hours_text(channel.quiet_from, channel.quiet_until)
        text += f", {'silent' if channel.quiet_silently else 'quiet'} {start}-{end}"
    if until := end_of_mute(channel.muted_until, datetime.now(UTC)):
        text += f", muted until {day(until)}"
    return text
