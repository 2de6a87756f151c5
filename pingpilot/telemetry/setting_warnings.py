"""What is set and valid, and hardly meant so: the doctor shows it, and `run` warns of it."""

import difflib
from ipaddress import ip_network

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
    if settings.sign_up != "off" and EMAIL.name not in settings.configured_channels:
        found.append(
            _warning(
                f"{PREFIX}SIGN_UP={settings.sign_up} needs e-mails, which this server is not set up to send.",
                "Set a mail server in .env; until then, links of `pingpilot invite` are passed on by hand.",
            )
        )
    if settings.sign_in_header and not settings.trusted_proxies:
        found.append(
            _warning(
                f"{PREFIX}SIGN_IN_HEADER has no effect, since no proxy is trusted to send it.",
                f"Set {PREFIX}TRUSTED_PROXIES to the address that the proxy connects from.",
            )
        )
    if settings.sign_in_header and any(
        ip_network(each, strict=False).prefixlen == 0 for each in settings.trusted_proxies
    ):
        found.append(
            _warning(
                f"Anybody can sign in as anybody: {PREFIX}SIGN_IN_HEADER is believed from every address.",
                f"Name the proxies alone in {PREFIX}TRUSTED_PROXIES.",
            )
        )
    return found


def _warning(text: str, advice: str) -> Finding:
    return Finding("settings", Level.WARNING, text, advice)
