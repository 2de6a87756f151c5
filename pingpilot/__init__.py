"""PingPilot: a self-hosted notification service for developers."""

__version__ = "0.1.0"
