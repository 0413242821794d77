"""What the operator decides: the environment's LEDGER_* variables as one frozen Settings."""

import logging
import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self, TypeVar

from ledger import providers
from ledger.providers import Provider

T = TypeVar("T")

PEPPER_BYTES = 32
PEPPER_FILE = "token-pepper"
WORKERS_MAX = 64
POOL_SIZE_MAX = 200
PORT_MAX = 65_535
WAIT_S_MAX = 25
POINTS_PER_MINUTE_MAX = 100_000_000
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: Of root, whose home nobody else may enter: the embedded server runs as another user.
DATA_DIR_OF_ROOT = Path("/var/lib/decision-ledger")


class SettingsError(ValueError):
    """The environment says something that can't be; each line names a variable and what it takes."""


@dataclass(frozen=True, repr=False)
class Settings:
    """How one process runs. Its repr shows no secret."""

    #: libpq URL of a running PostgreSQL; None: the embedded server under `data_dir`.
    database_url: str | None
    #: Where the embedded server and the pepper are kept.
    data_dir: Path
    host: str = "127.0.0.1"
    #: 0: any free port.
    port: int = 8000
    workers: int = 1
    #: Connections per process.
    pool_size: int = 4
    #: A folder on the disk that the database lies on, by which it is seen how full that is; None: nobody looks.
    disk_folder: Path | None = None
    #: From how much of that disk on nothing new is taken, in percent.
    disk_percent_max: int = 90
    #: Longest that a query waits for its view to get to the position that it asks for, in seconds.
    wait_s: int = 2
    #: Does `serve` follow the facts itself? Not where a follower runs beside it.
    follow: bool = True
    #: Must the event triggers be there? Not in a ledger that was migrated without a superuser, who alone can make them.
    event_triggers: bool = True
    #: 32 secret bytes; None: kept in a file under `data_dir`.
    token_pepper: bytes | None = None
    log_level: str = "INFO"
    #: Is the log JSON, an object a line, rather than lines for people?
    log_json: bool = False
    #: Where the sealer keeps checkpoints and tiles, for `serve` to compare the ledger with and to serve; None: nowhere.
    seal_folder: Path | None = None
    #: Where the trusted documents are: a folder of .graphql files; None: there are none.
    documents: Path | None = None
    #: Points that a token has a minute, for what its requests cost.
    points_per_minute: int = 120_000
    #: Origins, such as https://portal.example, whose pages may call the API from a browser, besides the API's own.
    origins: frozenset[str] = frozenset()
    #: May webhooks go to http and into private networks?
    webhooks_private: bool = False
    #: Whose tokens let people in besides the ledger's own.
    oidc: tuple[Provider, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """This will read the LEDGER_* variables; one that is unset or empty has its default.

        Raises SettingsError, which names everything that is wrong at once and repeats no secret.
        """
        faults: list[str] = []

        def read(name: str, parse: Callable[[str], T], default: T) -> T:
            text = environment.get(name, "").strip()
            if not text:
                return default
            try:
                return parse(text)
            except ValueError as error:
                faults.append(f"{name} {error}.")
                return default

        database_url = read("LEDGER_DATABASE_URL", _database_url, None)
        data_dir = read("LEDGER_DATA_DIR", _folder, default_data_dir(environment))
        found = cls(
            database_url=database_url,
            data_dir=data_dir,
            host=read("LEDGER_HOST", _host, cls.host),
            port=read("LEDGER_PORT", _number(0, PORT_MAX), cls.port),
            workers=read("LEDGER_WORKERS", _number(1, WORKERS_MAX), cls.workers),
            disk_folder=read("LEDGER_DISK_FOLDER", _folder, None if database_url else data_dir),
            disk_percent_max=read("LEDGER_DISK_PERCENT", _number(1, 100), cls.disk_percent_max),
            pool_size=read("LEDGER_POOL_SIZE", _number(1, POOL_SIZE_MAX), cls.pool_size),
            wait_s=read("LEDGER_WAIT_S", _number(1, WAIT_S_MAX), cls.wait_s),
            follow=read("LEDGER_FOLLOW", _yes_or_no, cls.follow),
            event_triggers=read("LEDGER_EVENT_TRIGGERS", _yes_or_no, cls.event_triggers),
            token_pepper=read("LEDGER_TOKEN_PEPPER", _pepper, None),
            log_level=read("LEDGER_LOG_LEVEL", _log_level, cls.log_level),
            log_json=read("LEDGER_LOG_FORMAT", _log_format, cls.log_json),
            seal_folder=read("LEDGER_SEAL_FOLDER", _folder, None),
            documents=read("LEDGER_DOCUMENTS", _folder, None),
            points_per_minute=read(
                "LEDGER_POINTS_PER_MINUTE", _number(1, POINTS_PER_MINUTE_MAX), cls.points_per_minute
            ),
            origins=read("LEDGER_ORIGINS", _origins, cls.origins),
            webhooks_private=read("LEDGER_WEBHOOKS_PRIVATE", _yes_or_no, cls.webhooks_private),
            oidc=read("LEDGER_OIDC", providers.read, ()),
        )
        if faults:
            raise SettingsError("\n".join(faults))
        return found

    def pepper(self) -> bytes:
        """This will give the secret that tokens are hashed with; one that was not set is made once and kept in a file.

        Raises SettingsError when others may read that file, or it does not hold 32 bytes.
        """
        return self.token_pepper or _kept_pepper(self.data_dir / PEPPER_FILE)

    @property
    def log_level_number(self) -> int:
        """This will give the level as the logging module counts it."""
        return logging.getLevelNamesMapping()[self.log_level]

    def __repr__(self) -> str:
        shown = {
            **vars(self),
            "database_url": self.database_url and masked(self.database_url),
            "token_pepper": self.token_pepper and "***",
        }
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def masked(url: str) -> str:
    """This will give a database's URL without its password, fit for a log."""
    # Greedy up to the last @: a password that holds one itself is masked whole.
    without = re.sub(r"(://[^:@/?#]*:).*@", r"\1***@", url)
    return re.sub(r"([?&]\w*password=)[^&]*", r"\1***", without, flags=re.IGNORECASE)


def default_data_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """This will name the folder for data where the operator names none: by XDG, of root under /var/lib."""
    if (home := environment.get("XDG_DATA_HOME", "")).startswith("/"):
        return Path(home) / "decision-ledger"
    if os.geteuid() == 0:
        return DATA_DIR_OF_ROOT
    home = environment.get("HOME", "")
    return (Path(home) if home.startswith("/") else Path.home()) / ".local" / "share" / "decision-ledger"


def _database_url(text: str) -> str:
    if not re.match(r"postgres(ql)?://", text):
        raise ValueError("must be a URL of PostgreSQL: postgresql://user:password@host:5432/name")
    return text


def _folder(text: str) -> Path:
    if "\0" in text:
        raise ValueError("must be a folder's path")
    return Path(text).expanduser().absolute()


def _host(text: str) -> str:
    if re.search(r"[\s/]", text):
        raise ValueError("must be one address or name to listen on, such as 127.0.0.1")
    return text


def _origins(text: str) -> frozenset[str]:
    found = frozenset(text.replace(",", " ").split())
    if odd := sorted(one for one in found if not re.fullmatch(r"https?://[a-z0-9.\-:\[\]]+", one)):
        raise ValueError(f"must be origins such as https://portal.example, in small letters, and {odd[0]!r} is none")
    return found


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}, and is {text!r}")
        return int(text)

    return parse


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ValueError(f"must be yes or no, and is {text!r}")
    return text.lower() == "yes"


def _pepper(text: str) -> bytes:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * PEPPER_BYTES}}}", text):
        raise ValueError(
            f"must be {2 * PEPPER_BYTES} hexadecimal digits; make them with: openssl rand -hex {PEPPER_BYTES}"
        )
    return bytes.fromhex(text)


def _log_level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}, and is {text!r}")
    return text.upper()


def _log_format(text: str) -> bool:
    if text.lower() not in ("text", "json"):
        raise ValueError(f"must be text or json, and is {text!r}")
    return text.lower() == "json"


def _kept_pepper(path: Path) -> bytes:
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whole or not at all, and the first of several processes wins: linking fails where the name is taken.
            with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as draft:  # made with mode 0600
                draft.write(secrets.token_bytes(PEPPER_BYTES))
                draft.flush()
                os.fsync(draft.fileno())
                with suppress(FileExistsError):
                    os.link(draft.name, path)
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path} can be read by others. Run: chmod 600 '{path}'")
        pepper = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The secret in {path} can't be kept: {error}. Set LEDGER_TOKEN_PEPPER.") from error
    if len(pepper) != PEPPER_BYTES:
        raise SettingsError(
            f"{path} must hold {PEPPER_BYTES} bytes. Put the old file back, or set LEDGER_TOKEN_PEPPER."
        )
    return pepper
