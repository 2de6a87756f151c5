"""`python -m pingpilot` is the `pingpilot` command."""

from pingpilot.cli import main

main()
