"""The programs of docs/sending-events.md, and what runs them."""

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.daemon import Ended, execute

PAGE = (Path(__file__).parents[2] / "docs" / "sending-events.md").read_text()
SHELL_OF_THE_RUNNER = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail")


@dataclass(frozen=True, slots=True)
class Tool:
    """What runs a program that is written to `file`.

    `packages` are Debian's for the commands it needs; None where Debian has none, so that CI does without.
    """

    command: tuple[str, ...]
    file: str
    packages: Mapping[str, str | None] = field(default_factory=dict)


TOOLS = {
    "bash": Tool(("bash",), "send.sh", {"curl": "curl"}),
    "python": Tool((sys.executable,), "send.py"),
    "javascript": Tool(("node",), "send.mjs", {"node": "nodejs"}),
    "go": Tool(("go", "run"), "send.go", {"go": "golang-go"}),
    "php": Tool(("php",), "send.php", {"php": "php-cli"}),
    "ruby": Tool(("ruby",), "send.rb", {"ruby": "ruby"}),
    "java": Tool(("java",), "Send.java", {"java": "default-jdk-headless"}),
    "powershell": Tool(("pwsh", "-NoProfile", "-File"), "send.ps1", {"pwsh": None}),
    "yaml": Tool(SHELL_OF_THE_RUNNER, "step.sh", {"curl": "curl", "jq": "jq"}),
}


@dataclass(frozen=True, slots=True)
class Program:
    """A fenced block of the page, named by its heading."""

    name: str
    language: str
    text: str

    async def run(self, folder: Path, settings: Mapping[str, str]) -> Ended:
        """Run it as it stands on the page, to its end."""
        tool = TOOLS[self.language]
        (folder / tool.file).write_text(self.text)
        return await execute(*tool.command, tool.file, settings=settings, folder=folder)

    @property
    def missing(self) -> str:
        """Say what this machine lacks to run it; empty if nothing."""
        for command, package in TOOLS[self.language].packages.items():
            if not shutil.which(command):
                advice = f"; Debian's package is {package}." if package else "."
                return f"There is no {command} on this machine{advice}"
        return ""

    @property
    def is_optional(self) -> bool:
        """Whether even CI does without it, since Debian has no package of what it needs."""
        return None in TOOLS[self.language].packages.values()


def programs() -> list[Program]:
    """Return all programs of the page; of a workflow, the script of its last step."""
    blocks = re.findall(r"^## (.+?)$|^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    found, heading = [], ""
    for new_heading, language, text in blocks:
        heading = new_heading or heading
        if language == "yaml":
            found.append(Program(heading, language, last_step(text)["run"]))
        elif language in TOOLS:
            found.append(Program(heading, language, text))
    return found


def last_step(workflow: str) -> dict[str, Any]:
    """Return the step of a workflow with one job that tells PingPilot."""
    (job,) = yaml.safe_load(workflow)["jobs"].values()
    return dict(job["steps"][-1])


def workflow() -> str:
    """Return the workflow as it stands on the page."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)
