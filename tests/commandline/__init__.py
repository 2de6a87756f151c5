"""Every command as a user types it."""
