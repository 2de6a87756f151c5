"""The webhook channel: signed HTTP requests to programs of people's own."""
