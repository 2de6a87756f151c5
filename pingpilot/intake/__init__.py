"""Intake: accepts events, many requests a commit."""

from pingpilot.intake.intake import Intake
from pingpilot.intake.submission import (
    Acceptance,
    CategoryNotFound,
    IdempotencyKeyReused,
    NotStored,
    QuotaExceeded,
    Submission,
)

__all__ = [
    "Acceptance",
    "CategoryNotFound",
    "IdempotencyKeyReused",
    "Intake",
    "NotStored",
    "QuotaExceeded",
    "Submission",
]
