"""The `pingpilot` command."""

import sys

from pingpilot.cli.app import app
from pingpilot.errors import InvalidInput, PingPilotError, SettingsError

USAGE_ERROR, FAILURE = 2, 1


def main() -> None:
    """Run the command line; an error is a sentence on standard error and an exit code, no traceback."""
    try:
        app(prog_name="pingpilot")  # also for `python -m pingpilot`
    except PingPilotError as exc:
        for sentence in exc.sentences if isinstance(exc, SettingsError) else (exc,):
            print(f"Error: {sentence}", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE_ERROR if isinstance(exc, SettingsError | InvalidInput) else FAILURE)
