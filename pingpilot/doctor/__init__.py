"""The doctor: looks at everything a daemon needs, and says what to do about what it finds."""

from pingpilot.doctor.examination import examine
from pingpilot.telemetry.findings import Finding, Level

__all__ = ["Finding", "Level", "examine"]
