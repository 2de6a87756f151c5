"""The `pingpilot` command."""

import gc
import sys

from pingpilot.cli.app import app
from pingpilot.errors import InvalidInput, PingPilotError, SettingsError
from pingpilot.loops import leave

USAGE_ERROR, FAILURE = 2, 1


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    # What is loaded stays: to look through it for garbage again and again took a seventh of a start. It
    # begins with the event loop (`pingpilot.loops`).
    gc.disable()
    # structlog loads rich where it finds it, for tracebacks in colours that we don't show: 3 MB and 30 ms
    sys.modules["rich"] = None  # type: ignore[assignment]
    leave(command_line())


def command_line() -> int:
    """Run the command line, return the exit code; an error is a sentence on standard error, no traceback."""
    try:
        app(prog_name="pingpilot")  # also for `python -m pingpilot`
    except PingPilotError as exc:
        for sentence in exc.sentences if isinstance(exc, SettingsError) else (exc,):
            print(f"Error: {sentence}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR if isinstance(exc, SettingsError | InvalidInput) else FAILURE
    except SystemExit as exc:  # how typer ends a command
        return exc.code if isinstance(exc.code, int) else FAILURE if exc.code else 0
    return 0
