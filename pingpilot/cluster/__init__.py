"""What several daemons on one database agree upon: who lives, and who leads which bot."""
