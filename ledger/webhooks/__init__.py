"""Tells other programs what happened: signed (Standard Webhooks), at least once, and in order."""
