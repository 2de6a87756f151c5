"""The e-mail channel: rendering and SMTP."""
