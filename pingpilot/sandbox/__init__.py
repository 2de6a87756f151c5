"""Local stand-ins for Discord, Telegram and an SMTP server.

They speak the real protocols on loopback sockets, so that the unmodified client libraries work against
them: in `pingpilot sandbox`, and in the tests, where they also misbehave on demand.
"""
