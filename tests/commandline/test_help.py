"""Help, the version, completion, and words that are no command."""

import subprocess
import sys
from pathlib import Path

import pytest

from pingpilot import __version__

from .conftest import Pingpilot

COMMANDS = [
    ("run",),
    ("daemons",),
    ("migrate",),
    ("backup",),
    ("sandbox",),
    ("send",),
    ("link-code",),
    ("sign-in",),
    *(("account", name) for name in ("create", "list", "show", "set-plan", "set")),
    *(("key", name) for name in ("create", "list", "revoke")),
    *(("category", name) for name in ("add", "list", "set", "remove")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_explains_itself(pingpilot: Pingpilot, command: tuple[str, ...]) -> None:
    helped = pingpilot(*command, "--help")

    assert helped.code == 0
    assert f"Usage: pingpilot {' '.join(command)}" in helped.out


@pytest.mark.parametrize(
    ("command", "argument"), [("send", "CATEGORY"), ("backup", "FILE"), ("sign-in", "EMAIL")]
)
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


def test_on_sqlite_there_are_no_daemons_to_list(pingpilot: Pingpilot) -> None:
    said, told = pingpilot("daemons"), pingpilot("daemons", "--json")

    assert said.out == "An SQLite file takes one daemon: `pingpilot doctor` says whether it runs.\n"
    assert told.json == {"daemons": [], "leaders": []}


def test_the_version_is_shown(pingpilot: Pingpilot) -> None:
    shown = pingpilot("--version")

    assert (shown.code, shown.out) == (0, f"pingpilot {__version__}\n")


def test_a_shell_completes_commands_and_options() -> None:
    program = str(Path(sys.executable).with_name("pingpilot"))
    script = f"""
        PATH={Path(program).parent}:$PATH
        eval "$(_PINGPILOT_COMPLETE=source_bash pingpilot)"
        complete_words() {{
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pingpilot_completion pingpilot
            echo "${{COMPREPLY[*]}}"
        }}
        complete_words pingpilot acc
        complete_words pingpilot account create --mon
    """

    completed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)

    assert completed.stdout.splitlines() == ["account", "--monthly-events"]
