"""The delivery engine: dispatcher, queue, retries and pacing, over a scripted channel."""
