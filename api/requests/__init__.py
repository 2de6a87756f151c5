"""What comes in: who is calling, and bodies and queries read within bounds."""
