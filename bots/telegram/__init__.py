"""The Telegram channel and bot."""
