"""The measurements, each of which runs both sides on one PostgreSQL and prints the ratio: `python -m benchmarks NAME [options]`."""

import sys
from importlib import import_module

#: The module of each measurement; its `main(arguments)` gives the exit code.
MEASUREMENTS = {
    "append": "benchmarks.append",
    "mutation": "benchmarks.mutation",
    "import": "benchmarks.imports",
    "rebuild": "benchmarks.rebuild",
    "backlog": "benchmarks.backlog",
    "asof": "benchmarks.asof",
    "search": "benchmarks.search",
    "graphql": "benchmarks.graphql",
    "verify": "benchmarks.verify",
    "simulation": "benchmarks.simulation",
}


def main(arguments: list[str]) -> int:
    """This will run the measurement that the first argument names with the rest of them."""
    usage = f"usage: python -m benchmarks {{{','.join(MEASUREMENTS)}}} [--help]"
    if arguments[:1] in (["-h"], ["--help"]):
        print(f"{usage}\n\n{__doc__}")
        return 0
    if not arguments or arguments[0] not in MEASUREMENTS:
        print(usage, file=sys.stderr)
        return 2
    return int(import_module(MEASUREMENTS[arguments[0]]).main(arguments[1:]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
