"""Tests of what runs PingPilot on servers."""
