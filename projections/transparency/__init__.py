"""How a team answers: counts, times and shares, per period."""
