"""What imported sources knew, and when: from which position on the ledger holds what a source learned after an instant."""
