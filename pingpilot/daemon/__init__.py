"""The composition root: builds every part from the settings, runs them, stops them in order."""
