"""What every channel's message needs: clean text, cutting and fitting, colours."""
