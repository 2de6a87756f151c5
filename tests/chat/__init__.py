"""The bots people talk to, against the stand-ins."""
