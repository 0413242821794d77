"""`python -m ledger.cli` is `decision-ledger`."""

from ledger.cli.main import main

main()
