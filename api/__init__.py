"""The HTTP API: the aiohttp application, its calls and its error shape."""
