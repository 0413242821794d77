"""How a process writes its log: lines for people, or JSON for machines. No body, no token and no name is ever in it."""

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

#: What every record has; the rest came with `extra=` and is shown.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
#: What could end a line, or tell a terminal to do something: a record is one line, whoever had a say in its words.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), 127, 0x85, 0x2028, 0x2029)}
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
    """The same for people: what the record brings stands behind the message. Only the trace of an exception has lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's word
        """This will give the message's line with what the record brings."""
        brought = {name: value for name, value in vars(record).items() if name not in _USUAL}
        return " ".join(
            [super().formatMessage(record), *(f"{name}={value}" for name, value in brought.items())]
        ).translate(_CONTROLS)


class Seldom:
    """A filter for warnings that anybody may cause as often as they like: each is told once a second, and how many were kept back since."""

    def __init__(self, every_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        #: By the message, which is the program's: when it was last told, and how often it was not since.
        self._told: dict[str, tuple[float, int]] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        """This will say whether a record is told."""
        if record.levelno != logging.WARNING:
            return True
        now, (told_at, kept_back) = self._clock(), self._told.get(str(record.msg), (float("-inf"), 0))
        is_due = now - told_at >= self._every_s
        self._told[str(record.msg)] = (now, 0) if is_due else (told_at, kept_back + 1)
        if is_due and kept_back:
            record.kept_back = kept_back
        return is_due


def begin(level: int, *, json: bool) -> None:
    """This will send the log to stderr from here on; what was set up before by somebody else stays."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json else Lines(TEXT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("uvicorn.error").addFilter(is_told)
    logging.getLogger("uvicorn.error").addFilter(Seldom())
    logging.getLogger("httpx").setLevel(max(level, logging.WARNING))  # it names whole addresses at INFO


def is_told(record: logging.LogRecord) -> bool:
    """This will keep back that a WebSocket connected: anybody may do that, and its address, which is told with it, may hold a token."""
    return record.levelno > logging.INFO or not str(record.msg).startswith(('%s - "WebSocket', "connection "))
