"""The reviews of each team: their agendas, and what became of each item."""
