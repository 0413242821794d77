"""How a process writes its log: lines for people, or JSON for machines. No body, no token and no name is ever in it."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

#: What every record has; the rest came with `extra=` and is shown.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, what the record brings, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """This will give a record's line."""
        found: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _USUAL},
        }
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(found, enc_hook=str).decode()


class Lines(logging.Formatter):
    """The same for people: what the record brings stands behind the message."""

    def format(self, record: logging.LogRecord) -> str:
        """This will give a record's line."""
        brought = {name: value for name, value in vars(record).items() if name not in _USUAL}
        more = " ".join(f"{name}={value}" for name, value in brought.items())
        return f"{super().format(record)} {more}" if more else super().format(record)


def begin(level: int, *, json: bool) -> None:
    """This will send the log to stderr from here on; what was set up before by somebody else stays."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json else Lines(TEXT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("httpx").setLevel(max(level, logging.WARNING))  # it names whole addresses at INFO
