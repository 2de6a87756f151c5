"""Several daemons on one PostgreSQL: who leads, what they tell each other, what faults do to them."""
