"""The delivery engine: claims what is due, sends it through a channel, records the outcome."""
