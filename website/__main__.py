"""`python -m website` builds the site in build/docs/site; with `errors`, it writes docs/errors.md anew."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from api.app import CALLS
from api.openapi.document import build
from website import checking, errors
from website.reference import Reference
from website.staging import ROOT, stage

_HERE = Path(__file__).parent
_WORK = ROOT / "build" / "docs"
_NAVIGATION: list[dict[str, Any]] = [
    {"PingPilot": "index.md"},
    {
        "Begin": [
            {"The sandbox": "sandbox.md"},
            {"Install, upgrade, remove": "install.md"},
            {"Discord": "setup-discord.md"},
            {"Telegram": "setup-telegram.md"},
            {"E-mail": "setup-email.md"},
        ]
    },
    {
        "Send events": [
            {"The HTTP API": "http-api.md"},
            {"Programs to copy": "sending-events.md"},
            {"The Python client": "python-client.md"},
            {"Apprise, Uptime Kuma": "integrations.md"},
        ]
    },
    {
        "Get them": [
            {"The dashboard": "dashboard.md"},
            {"The bots": "bots.md"},
            {"Destinations": "destinations.md"},
            {"Webhooks": "webhooks.md"},
            {"How they are delivered": "delivery.md"},
        ]
    },
    {
        "Look up": [
            {"Settings": "settings.md"},
            {"Command line": "command-line.md"},
            {"Errors": "errors.md"},
            {"API calls": ["api/index.md"]},  # the calls by subject come after it
        ]
    },
    {
        "Run it": [
            {"Accounts": "accounts.md"},
            {"Operations": "operations.md"},
            {"Performance": "performance.md"},
            {"Many daemons": "scaling.md"},
            {"Security": "security.md"},
            {"Changes": "changelog.md"},
            {"Beside other programs": "comparison.md"},
        ]
    },
    {
        "Change it": [
            {"Contributing": "contributing.md"},
            {"How it is built, and why": "design.md"},
            {"Releasing": "releasing.md"},
        ]
    },
]


def main() -> int:
    """Build the site, strictly; return 0, or 1 with a sentence for each thing that is wrong."""
    pages = _WORK / "pages"
    shutil.rmtree(_WORK, ignore_errors=True)
    stage(pages)
    reference = Reference(build(CALLS))
    (pages / "api").mkdir()
    for name, text in reference.pages().items():
        (pages / "api" / name).write_text(text)
    for name in ("style.css", "iframe-worker.js"):
        shutil.copyfile(_HERE / name, pages / name)
    settings = (_HERE / "zensical.toml").read_text()
    navigation = f"nav = {_toml(navigation_of(reference))}"
    (_WORK / "zensical.toml").write_text(settings.replace("# NAVIGATION", navigation))
    program = Path(sys.executable).with_name("zensical")
    built = subprocess.run([program, "build", "--clean", "--strict"], cwd=_WORK, check=False)  # noqa: S603
    found = list(checking.problems(_WORK / "site")) if built.returncode == 0 else []
    for each in found:
        print(each, file=sys.stderr)  # noqa: T201
    if built.returncode or found:
        return 1
    print(f"The site is in {_WORK / 'site'}: open index.html there.")  # noqa: T201
    return 0


def navigation_of(reference: Reference) -> list[dict[str, Any]]:
    """Return all pages in the order in which people need them."""
    navigation = json.loads(json.dumps(_NAVIGATION))
    for section in navigation:
        for entry in section.get("Look up", ()):
            if "API calls" in entry:
                entry["API calls"] += reference.navigation()
    return list(navigation)


def _toml(value: Any) -> str:
    """Return a value as TOML on one line; its texts are JSON's."""
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value)


if __name__ == "__main__":
    if sys.argv[1:] == ["errors"]:
        errors.PAGE.write_text(errors.page())
    else:
        sys.exit(main())
