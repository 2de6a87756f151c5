"""What is set and valid, and hardly meant so: the doctor shows it, and `run` warns of it."""

import difflib

from pingpilot.channels import EMAIL
from pingpilot.config import PREFIX, Settings, known_variables, unknown_variables
from pingpilot.telemetry.findings import Finding, Level


def setting_warnings(settings: Settings) -> list[Finding]:
    """Return a warning for each thing about the settings that needs a second look."""
    found = []
    if not settings.direct_channels:
        found.append(
            _warning(
                "No channel is configured: events are stored and delivered nowhere, except to destinations "
                "that accounts add themselves.",
                "Set a bot's token or a mail server in .env: .env.example shows how.",
            )
        )
    for variable in unknown_variables():
        nearest = difflib.get_close_matches(variable, known_variables(), n=1, cutoff=0.8)
        advice = (
            f"Did you mean {nearest[0]}?" if nearest else "See .env.example for all: correct or remove it."
        )
        found.append(_warning(f"{variable} is not a setting, and has no effect.", advice))
    if EMAIL.name in settings.configured_channels and settings.listens_everywhere and not settings.public_url:
        found.append(
            _warning(
                f"Unsubscribe links in e-mails lead to {settings.base_url(settings.http_port)}, "
                "which only this machine can reach.",
                f"Set {PREFIX}PUBLIC_URL to the address by which others reach it.",
            )
        )
    return found


def _warning(text: str, advice: str) -> Finding:
    return Finding("settings", Level.WARNING, text, advice)
