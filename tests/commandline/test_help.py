"""Help, and words that are no command."""

import pytest

from .conftest import Pingpilot

COMMANDS = [
    ("run",),
    ("migrate",),
    ("backup",),
    ("sandbox",),
    ("send",),
    ("link-code",),
    *(("account", name) for name in ("create", "list", "show", "set-plan", "set")),
    *(("key", name) for name in ("create", "list", "revoke")),
    *(("category", name) for name in ("add", "list", "set", "remove")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_explains_itself(pingpilot: Pingpilot, command: tuple[str, ...]) -> None:
    helped = pingpilot(*command, "--help")

    assert helped.code == 0
    assert f"Usage: pingpilot {' '.join(command)}" in helped.out


@pytest.mark.parametrize(("command", "argument"), [("send", "CATEGORY"), ("backup", "FILE")])
def test_arguments_are_named_as_in_the_readme(pingpilot: Pingpilot, command: str, argument: str) -> None:
    helped = pingpilot(command, "--help")

    usage = next(line for line in helped.out.splitlines() if "Usage:" in line)
    assert argument in usage


@pytest.mark.parametrize("words", [(), ("account",), ("key",), ("category",)])
def test_half_a_command_shows_what_there_is(pingpilot: Pingpilot, words: tuple[str, ...]) -> None:
    helped = pingpilot(*words)

    assert "Usage: pingpilot" in helped.out + helped.err
    assert "Commands" in helped.out + helped.err


@pytest.mark.parametrize("words", [("fly",), ("account", "fly"), ("send",), ("link-code",)])
def test_what_is_no_command_is_a_usage_error(pingpilot: Pingpilot, words: tuple[str, ...]) -> None:
    refused = pingpilot(*words)

    assert refused.code == 2
    assert "Usage: pingpilot" in refused.err
