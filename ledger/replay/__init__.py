"""Replays history under another prioritisation, with only what was known at each review."""
