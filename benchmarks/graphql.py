"""How fast a page of the backlog is answered over HTTP: fifty rows with proposer and last decision, fourteen fields a row.

All servers run one process each, on one PostgreSQL, at 16 connections, in turn and several times over; the table shows medians. The same
proposals are in the backlog view and in plain tables (`graphql_tables`), so that the others have the better of it: one index, no history.

stock       strawberry with dataloaders, as its documentation shows it
postgraphile  PostGraphile 5 on Node 22, if npm can install it
bare        a litestar handler without GraphQL
ours        the ledger: every request another question, so that nothing is kept for it
ours kept   the ledger: the same question again, answered from what is kept
ours 304    the ledger: the same question by GET, with the tag of the answer that the client has
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count, repeat
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlencode

import httpx

from benchmarks.append import database, server
from benchmarks.graphql_load import Figures, load
from benchmarks.graphql_tables import fill

HERE = Path(__file__).parent
CONNECTIONS = 16
START_S = 60
#: The number of the first question that is like no other; those that follow are of the same length.
FIRST = 100_000_000
ROW = "title area kind status submittedAt score carriedOver critical paused"
OURS = f"""query Page($first: Int! = 50) {{ backlog(first: $first) {{ nodes {{
  proposalId {ROW} proposers {{ name }} decision {{ verdict disposition decidedAt }} }} }} }}"""
STOCK = f"""{{ proposals(first: 50) {{ proposalId {ROW} proposer {{ name }} decision {{ verdict disposition decidedAt }} }} }}"""
POSTGRAPHILE = f"""{{ allProposals(first: 50, orderBy: [SCORE_DESC, PROPOSAL_ID_ASC]) {{ nodes {{
  proposalId {ROW} memberByProposerId {{ name }} decisionByDecisionId {{ verdict disposition decidedAt }} }} }} }}"""
#: What performance.md asks for: (ours, over, at least).
REACH = (("ours", "postgraphile", 1.0), ("ours kept", "postgraphile", 10.0), ("ours 304", "postgraphile", 10.0))


class Asking(NamedTuple):
    """One way of asking: the server that is asked, and the requests that are sent, without end."""

    server: str
    requests: Iterator[bytes]


def main(arguments: Sequence[str] | None = None) -> int:
    """This will measure and print the table; the exit code says only whether it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks graphql", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--proposals", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=3, help="of each path in each round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    with server() as url, database(url) as own, ExitStack() as stack:
        token = fill(own, given.proposals)
        ports, pids = {}, {}
        for kind in ("ours", "stock", "bare", "postgraphile"):
            with suppress(NotInstalled):
                ports[kind], pids[kind] = stack.enter_context(running(kind, own))
        paths = {name: path for name, path in _paths(token, ports["ours"]).items() if path.server in ports}
        figures: dict[str, list[Figures]] = {name: [] for name in paths}
        for _ in range(given.rounds):
            for name, path in paths.items():
                found = load(ports[path.server], path.requests, CONNECTIONS, given.seconds, pids[path.server])
                figures[name].append(found)
        report(figures, given.proposals)
    return 0


def _paths(token: str, port: int) -> dict[str, Asking]:
    bearer = {"Authorization": f"Bearer {token}"}
    asked = {"query": OURS}
    tag = tag_of(port, bearer)
    # A variable that the document does not use makes it another question, which nobody has asked in any round before.
    other = posted({**asked, "variables": {"n": FIRST}}, bearer)
    different = (other.replace(b"%d" % FIRST, b"%d" % number) for number in count(FIRST))
    return {
        "stock": Asking("stock", repeat(posted({"query": STOCK}))),
        "postgraphile": Asking("postgraphile", repeat(posted({"query": POSTGRAPHILE}))),
        "bare": Asking("bare", repeat(posted({}))),
        "ours": Asking("ours", different),
        "ours kept": Asking("ours", repeat(posted(asked, bearer))),
        "ours 304": Asking("ours", repeat(got(OURS, {**bearer, "If-None-Match": tag}))),
    }


def posted(body: dict[str, object], headers: dict[str, str] | None = None) -> bytes:
    """This will give a POST as it goes over the wire."""
    text = json.dumps(body).encode()
    return (
        _request(
            "POST",
            "/graphql",
            {"Content-Type": "application/json", "Content-Length": str(len(text)), **(headers or {})},
        )
        + text
    )


def got(query: str, headers: dict[str, str]) -> bytes:
    """This will give a GET as it goes over the wire."""
    return _request("GET", f"/graphql?{urlencode({'query': query})}", headers)


def _request(method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def tag_of(port: int, headers: dict[str, str]) -> str:
    """This will ask for the page once, see that it is whole, and give its tag."""
    found = httpx.get(f"http://127.0.0.1:{port}/graphql", params={"query": OURS}, headers=headers, timeout=30)
    rows = found.json()["data"]["backlog"]["nodes"]
    if len(rows) != 50 or not all(row["decision"] and row["proposers"][0]["name"] for row in rows):
        raise AssertionError(found.text[:500])
    return found.headers["etag"]


class NotInstalled(Exception):  # noqa: N818 - named for what happened
    """The other side can't be had here."""


@contextmanager
def running(kind: str, url: str) -> Iterator[tuple[int, int]]:
    """This will run a server, and give its port and process id once it answers. Raises NotInstalled."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.graphql_servers", kind, str(port), url]
    if kind == "postgraphile":
        command = [*_node(), str(HERE / "postgraphile" / "serve.mjs"), url, str(port)]
    process = subprocess.Popen(command, cwd=HERE.parent)
    try:
        deadline = time.monotonic() + START_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{kind} did not start")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _node() -> list[str]:
    """This will install PostGraphile and its Node, unless that was done, and give the command that runs a file. Raises NotInstalled."""
    folder = HERE / "postgraphile"
    node = folder / "node_modules" / ".bin" / "node"
    if not node.exists():
        npm = shutil.which("npm")
        if npm is None or subprocess.run([npm, "ci", "--silent"], cwd=folder, check=False).returncode:
            print("PostGraphile is not measured: npm can't install it here", file=sys.stderr)
            raise NotInstalled
    return [str(node)]


def report(figures: dict[str, list[Figures]], proposals: int) -> None:
    """This will print the medians and what was to be reached."""
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {proposals:,} proposals, 16 connections, one process"
    )
    print(f"{'':<14}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>9}{'bytes':>9}")
    for name, found in figures.items():
        columns = [median(getattr(one, field) for one in found) for field in Figures._fields]
        rate, p50, p99, cpu, size = columns
        print(f"{name:<14}{rate:12,.0f}{p50:9.2f}{p99:9.2f}{cpu:9.3f}{size:9,.0f}")
    for ours, other, least in REACH:
        if other in figures:
            pairs = zip(figures[ours], figures[other], strict=True)
            ratio = median(one.rate / two.rate for one, two in pairs)
            print(f"{ours} is {ratio:.2f} x {other}; to reach: {least:.0f} x")


if __name__ == "__main__":
    raise SystemExit(main())
