"""The stand-ins, driven by the real client libraries."""
