"""Copies of the ledger for others: facts, views and reports."""
