"""The Python side of nettool: see ../__main__.py."""
