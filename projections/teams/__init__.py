"""Who belongs to which team, by which policy it ranks, and which reasons a NO may give."""
