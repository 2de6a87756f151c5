"""The Discord channel and bot."""
