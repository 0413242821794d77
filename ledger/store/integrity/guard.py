"""What keeps the log from being changed by mistake or by a program: triggers, functions, owners and grants, looked up and compared.

A superuser can change any of them, and PostgreSQL will not say so; this does, at start and every minute.
"""

import logging
import re
from collections.abc import Callable, Iterator
from time import time
from typing import Any

import psycopg

from ledger.meanwhile import Background
from ledger.settings import masked
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.checking import Fault, Kind
from ledger.store.integrity.footing import gaps
from ledger.store.migrations import Migration, migrations

log = logging.getLogger(__name__)

EVERY_S = 60.0
#: Further apart than this the clocks of this machine and the database may not be, in seconds.
CLOCK_APART_S_MAX = 60.0

#: When a trigger fires, as PostgreSQL keeps it: bits of pg_trigger.tgtype.
_ROW, _BEFORE, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 8, 16, 32
_ANY_CHANGE = _BEFORE | _DELETE | _UPDATE | _TRUNCATE
#: Table and trigger → function, and when it fires.
TRIGGERS = {
    ("events", "append_only"): ("refuse_change", _ANY_CHANGE),
    ("events", "redaction_only"): ("refuse_all_but_redaction", _ROW | _BEFORE | _UPDATE),
    ("commands", "append_only"): ("refuse_change", _ANY_CHANGE),
    ("identity", "append_only"): ("refuse_change", _ANY_CHANGE),
    ("migrations", "append_only"): ("refuse_change", _ANY_CHANGE),
    ("head", "append_only"): ("refuse_change", _BEFORE | _DELETE | _TRUNCATE),
}
#: The same of the record of access, whose function is the directory's; its owner may change it, so all this shows is that nobody did.
ACCESS_TRIGGERS = {
    ("access", "append_only"): ("refuse_access_change", _ROW | _BEFORE | _UPDATE | _DELETE),
    ("access", "never_truncated"): ("refuse_access_change", _BEFORE | _TRUNCATE),
}
#: Its functions that are compared.
ACCESS_FUNCTIONS = ("directory.refuse_access_change", "directory.access_kept_days")
#: Event trigger → the event, and that it fires on all tags and calls the guard's own function.
EVENT_TRIGGERS = {"ledger_refuse_alter": "ddl_command_end", "ledger_refuse_drop": "sql_drop"}
TABLES = ("events", "commands", "head", "identity", "migrations")
OWNER, REDACTOR = "ledger_owner", "ledger_redactor"
#: Object, grantee, privilege: all that anybody but the owner may do in the schema.
GRANTS = {
    *(("schema ledger", role, "USAGE") for role in ("ledger_writer", "ledger_reader", REDACTOR)),
    *((f"table {table}", role, "SELECT") for table in TABLES for role in ("ledger_writer", "ledger_reader")),
    ("table events", REDACTOR, "SELECT"),
    ("column events.payload", REDACTOR, "UPDATE"),
    ("column events.salt", REDACTOR, "UPDATE"),
    ("function append", "ledger_writer", "EXECUTE"),
    ("function append_new", "ledger_writer", "EXECUTE"),
    *(("function position_at", role, "EXECUTE") for role in ("ledger_writer", "ledger_reader")),
    ("function append_page", "ledger_writer", "EXECUTE"),
    ("function redact", "ledger_migrator", "EXECUTE"),
    *(
        (f"function {name}", role, "EXECUTE")
        for name in ("remains", "redaction_stream")
        for role in ("ledger_writer", "ledger_reader", REDACTOR)
    ),
}

_TRIGGERS = """
SELECT c.relname, t.tgname, p.proname, t.tgenabled::text, t.tgtype::int, t.tgqual IS NOT NULL OR t.tgattr::text <> ''
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_proc AS p ON p.oid = t.tgfoid
 WHERE c.relnamespace = 'ledger'::regnamespace AND NOT t.tgisinternal ORDER BY 1, 2"""
_ACCESS_TRIGGERS = """
SELECT c.relname, t.tgname, p.proname, t.tgenabled::text, t.tgtype::int, t.tgqual IS NOT NULL OR t.tgattr::text <> ''
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_proc AS p ON p.oid = t.tgfoid
 WHERE n.nspname = 'directory' AND c.relname = 'access' AND NOT t.tgisinternal ORDER BY 1, 2"""
_EVENT_TRIGGERS = """
SELECT evtname, evtenabled::text, evtevent, evttags IS NULL AND evtfoid::regproc::text = 'ledger_guard.refuse_ddl'
  FROM pg_event_trigger ORDER BY 1"""
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
_RULES = "SELECT tablename, rulename FROM pg_rules WHERE schemaname = 'ledger' ORDER BY 1, 2"
_FUNCTIONS = """
SELECT n.nspname || '.' || p.proname, p.prosrc, p.prosecdef, pg_get_userbyid(p.proowner),
       'search_path=pg_catalog, pg_temp' = ANY (p.proconfig)
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname IN ('ledger', 'ledger_guard') ORDER BY 1"""
_ACCESS_FUNCTIONS = """
SELECT n.nspname || '.' || p.proname, p.prosrc
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'directory' ORDER BY 1"""
_OWNERS = """
SELECT 'schema ledger', pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'ledger'
 UNION ALL
SELECT 'table ' || relname, pg_get_userbyid(relowner) FROM pg_class
 WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') ORDER BY 1"""
_GRANTS = """
SELECT object, COALESCE(r.rolname, 'PUBLIC'), a.privilege_type FROM (
    SELECT 'schema ledger' AS object, nspacl AS acl, nspowner AS owner FROM pg_namespace WHERE nspname = 'ledger'
     UNION ALL
    SELECT 'table ' || relname, relacl, relowner FROM pg_class
     WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
     UNION ALL
    SELECT 'column ' || relname || '.' || attname, attacl, relowner FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
     WHERE relnamespace = 'ledger'::regnamespace AND attacl IS NOT NULL
     UNION ALL
    SELECT 'function ' || proname, COALESCE(proacl, acldefault('f', proowner)), proowner FROM pg_proc
     WHERE pronamespace = 'ledger'::regnamespace
) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee
 WHERE a.grantee <> o.owner ORDER BY 1, 2, 3"""
#: Who may do more than append and read: by being made a member of a strong role, or by writing past all grants.
_MEMBERS = """
SELECT DISTINCT g.rolname, m.rolname FROM pg_auth_members AS a JOIN pg_roles AS g ON g.oid = a.roleid JOIN pg_roles AS m ON m.oid = a.member
 WHERE g.rolname IN ('ledger_owner', 'ledger_migrator', 'ledger_redactor', 'pg_write_all_data', 'pg_write_server_files',
                     'pg_execute_server_program')
   AND (g.rolname, m.rolname) NOT IN (('ledger_owner', 'ledger_migrator'), ('ledger_redactor', 'ledger_owner')) ORDER BY 1, 2"""
_ACCESS_FUNCTION = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (directory\.[a-z_]+)\(.*?\bAS (?:\$\$(.*?)\$\$|'(.*?)');", re.DOTALL
)
_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION ([a-z_]+\.[a-z_]+)\((.*?)\bAS \$\$(.*?)\$\$", re.DOTALL)


def faults(connection: Connection, *, event_triggers: bool = True) -> list[Fault]:
    """This will name all that is not as the migrations made it; [] if everything is.

    `event_triggers` False: for a ledger that was migrated without a superuser, who alone could make them.
    """
    found = [
        *_triggers(connection, "ledger", _TRIGGERS, TRIGGERS),
        *_rules(connection),
        *gaps(connection),
        *_functions(connection),
        *_grants(connection),
        *_triggers(connection, "directory", _ACCESS_TRIGGERS, ACCESS_TRIGGERS),
        *_access_functions(connection),
    ]
    if event_triggers:
        found += _event_triggers(connection)
    return [Fault(Kind.GUARD, 0, sentence) for sentence in found]


def members(connection: Connection) -> list[str]:
    """This will name who was made a member of a role that can do more than append and read; a deployment knows who should be."""
    return [f"{member} is a member of {role}" for role, member in _all(connection, _MEMBERS)]


def clock_apart_s(connection: Connection) -> float:
    """This will say how far this machine's clock is ahead of the database's, in seconds; below 0: behind it."""
    before = time()
    ((there,),) = _all(connection, _CLOCK)
    return (before + time()) / 2 - float(there)


class Watch(Background):
    """Looks at start and every minute, and tells the log whatever is new."""

    def __init__(
        self,
        url: str,
        *,
        every_s: float = EVERY_S,
        event_triggers: bool = True,
        tell: Callable[[Fault], None] = lambda fault: log.critical("the ledger's guard is down: %s", fault),
    ) -> None:
        super().__init__("ledger-guard")
        self._url, self._every_s, self._event_triggers, self._tell = url, every_s, event_triggers, tell
        #: What was wrong when it last looked.
        self.faults: list[Fault] = []
        self._is_apart = False

    def start(self) -> None:
        """This will look once before it returns, and then go on by itself."""
        self.look()
        super().start()

    def look(self) -> None:
        """This will look now, and tell what was not wrong before."""
        with reading.reader(self._url) as connection:
            found = faults(connection, event_triggers=self._event_triggers)
            apart_s = clock_apart_s(connection)
        if abs(apart_s) > CLOCK_APART_S_MAX and not self._is_apart:
            log.critical(
                "this machine's clock is %s s %s the database's: what is asked here gets a false occurred_at",
                f"{abs(apart_s):,.0f}",
                "ahead of" if apart_s > 0 else "behind",
            )
        self._is_apart = abs(apart_s) > CLOCK_APART_S_MAX
        for fault in found:
            if fault not in self.faults:
                self._tell(fault)
        self.faults = found

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.look()
            except psycopg.Error as error:
                log.warning("the guard could not look: %s", masked(str(error)).strip())


def _all(connection: Connection, statement: Any) -> list[tuple[Any, ...]]:
    return connection.execute(statement).fetchall()


def _triggers(
    connection: Connection, schema: str, statement: str, wanted: dict[tuple[str, str], tuple[str, int]]
) -> Iterator[str]:
    there = {(table, name): found for table, name, *found in _all(connection, statement)}
    for key, (function, fires) in wanted.items():
        table, name = key
        match there.pop(key, None):
            case None:
                yield f"the trigger {name} on {schema}.{table} is gone"
            case [other, *_] if other != function:
                yield f"the trigger {name} on {schema}.{table} calls {other} and not {function}"
            case [_, enabled, *_] if enabled != "A":
                how = "disabled" if enabled == "D" else "not enabled always"
                yield f"the trigger {name} on {schema}.{table} is {how}"
            case [_, _, found, has_condition] if found != fires or has_condition:
                yield f"the trigger {name} on {schema}.{table} was made anew and does not fire at each change"
    for table, name in there:
        yield f"the trigger {name} on {schema}.{table} is not the ledger's"


def _access_functions(connection: Connection) -> Iterator[str]:
    """This will name those of the record of access that do something else than the migrations say."""
    found = [each for step in migrations() for each in _ACCESS_FUNCTION.findall(step.sql)]
    wanted = {name: dollars or quoted for name, dollars, quoted in found if name in ACCESS_FUNCTIONS}
    there = dict(_all(connection, _ACCESS_FUNCTIONS))
    for name, body in wanted.items():
        if name not in there:
            yield f"the function {name} is gone"
        elif there[name] != body:
            yield f"the function {name} was changed"


def _event_triggers(connection: Connection) -> Iterator[str]:
    there = {name: found for name, *found in _all(connection, _EVENT_TRIGGERS)}
    for name, event in EVENT_TRIGGERS.items():
        match there.get(name):
            case None:
                yield f"the event trigger {name} is gone"
            case [enabled, *_] if enabled != "A":
                yield f"the event trigger {name} is {'disabled' if enabled == 'D' else 'not enabled always'}"
            case [_, found, is_whole] if found != event or not is_whole:
                yield f"the event trigger {name} was made anew and does not refuse each change"


def _rules(connection: Connection) -> Iterator[str]:
    for table, rule in _all(connection, _RULES):
        yield f"the rule {rule} on ledger.{table} is not the ledger's"


def _functions(connection: Connection) -> Iterator[str]:
    wanted = functions(migrations())
    for name, source, definer, owner, path in _all(connection, _FUNCTIONS):
        definition = wanted.pop(name, None)
        if definition is None:
            yield f"the function {name} is not the ledger's"
            continue
        head, body = definition
        if source != body:
            yield f"the function {name} was changed"
        if definer != ("SECURITY DEFINER" in head) or not path:
            yield f"the function {name} runs with other rights or another search path"
        if name.startswith("ledger.") and owner != (REDACTOR if name == "ledger.redact" else OWNER):
            yield f"the function {name} belongs to {owner}"
    for name in wanted:
        if name.startswith("ledger."):
            yield f"the function {name} is gone"


def functions(steps: list[Migration]) -> dict[str, tuple[str, str]]:
    """This will give each function's head and body as the migrations last made it."""
    return {
        found[1]: (found[2], found[3])
        for step in steps
        for found in _FUNCTION.finditer(step.sql)
        if found[1].startswith(("ledger.", "ledger_guard."))
    }


def _grants(connection: Connection) -> Iterator[str]:
    for thing, owner in _all(connection, _OWNERS):
        if owner != OWNER:
            yield f"the {thing} belongs to {owner}"
    there = set(_all(connection, _GRANTS))
    for thing, grantee, privilege in sorted(there - GRANTS):
        yield f"{grantee} was granted {privilege} on the {thing}"
    for thing, grantee, privilege in sorted(GRANTS - there):
        yield f"{grantee} lost {privilege} on the {thing}"
