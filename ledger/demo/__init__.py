"""The demo: three teams over eighteen months, told through the commands like anything else."""
