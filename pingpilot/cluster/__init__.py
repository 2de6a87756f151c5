"""What several daemons on one PostgreSQL agree upon, and what they tell each other."""
