"""The command line: a file per verb. Exit codes: 0 done, 1 a check failed, 2 usage, 3 the database can't be reached."""

from ledger.cli.main import main

__all__ = ["main"]
