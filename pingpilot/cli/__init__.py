"""The `pingpilot` command."""

import sys

from pingpilot.cli.app import app
from pingpilot.errors import InvalidInput, PingPilotError, SettingsError

USAGE_ERROR, FAILURE = 2, 1


def main() -> None:
    """Run the command line; an error is one sentence on standard error and an exit code, no traceback."""
    try:
        app(prog_name="pingpilot")  # also for `python -m pingpilot`
    except PingPilotError as exc:
        print(f"Error: {exc}", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE_ERROR if isinstance(exc, SettingsError | InvalidInput) else FAILURE)
