"""The directory: who the ids in the facts are, and the tokens that let them in. Mutable and erasable, unlike the log."""
