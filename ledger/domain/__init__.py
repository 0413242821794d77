"""The rules: state, decide and evolve, a file per kind of stream. Pure: no clock, no store, no network."""
