"""What is proposed, where it stands, and in which order the team's policy puts it."""
