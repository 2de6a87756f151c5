"""Accounts and what belongs to them; bots, API and command line all go through these rules."""
