"""An event-sourced ledger of technical-debt decisions."""
