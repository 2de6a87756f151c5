"""Tests of what people get to see: a notification on each platform."""
