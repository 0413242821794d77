"""How facts are kept: the log in PostgreSQL, its one append function, its migrations, and the embedded server."""
