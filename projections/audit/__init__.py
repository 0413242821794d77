"""Why was it decided so, what was known then, and what followed."""
