"""The application's login, which may append, read and build views: whoever takes a server over can't change what was recorded."""

from psycopg import sql

from ledger.store.connections import READER, WRITER, patient_connection

_ROLE = "SELECT rolsuper OR rolcreaterole OR rolname = session_user FROM pg_roles WHERE rolname = %s"


class LoginRefused(Exception):  # noqa: N818 - named for what happened
    """A login that may already do more than the application's should."""


def admit(url: str, login: str, password: str) -> None:
    """This will make the login, or give it this password, and let it append, read and build views. The database is migrated.

    PostgreSQL gets the password hashed, so that no log of its statements holds it. Raises LoginRefused.
    """
    with patient_connection(url) as connection, connection.transaction():
        hashed = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
        name, database = sql.Identifier(login), sql.Identifier(connection.info.dbname)
        found = connection.execute(_ROLE, [login]).fetchone()
        if found == (True,):
            raise LoginRefused(f"{login} may do more than an application should. Name a login of its own.")
        if found is None:
            connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(hashed)))
        roles = sql.SQL(", ").join(map(sql.Identifier, (WRITER, READER)))
        connection.execute(sql.SQL("GRANT {} TO {}").format(roles, name))
        # The views are built in schemas of their own.
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, name))
        # An erasure waits for whoever may still see the name, by whichever login.
        connection.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(name))
