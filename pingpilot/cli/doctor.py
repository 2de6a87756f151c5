"""What `pingpilot doctor` prints."""

import json
import logging
from dataclasses import asdict

import typer

from pingpilot.doctor import Finding, Level, examine

_SIGNS = {Level.OK: "✓", Level.OFF: "–", Level.WARNING: "!", Level.PROBLEM: "✗"}
_INDENT = " " * 12


async def report(*, as_json: bool) -> bool:
    """Print the findings as they come, or all as JSON; return whether there is no problem."""
    logging.disable()  # the findings say it, in words
    findings: list[Finding] = []
    async for finding in examine():
        findings.append(finding)
        if not as_json:
            typer.echo(f"{_SIGNS[finding.level]} {finding.subject:<9} {finding.text}")
            if finding.advice:
                typer.echo(f"{_INDENT}→ {finding.advice}")
    healthy = all(finding.level is not Level.PROBLEM for finding in findings)
    if as_json:
        document = {"healthy": healthy, "findings": [asdict(finding) for finding in findings]}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    return healthy
