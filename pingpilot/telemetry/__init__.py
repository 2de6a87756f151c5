"""What the daemon tells of itself: the health of its parts, metrics and logs."""
