"""Sending through each platform, against its stand-in."""
