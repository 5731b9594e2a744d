"""The entry of the command `alluvia`: a fixed environment, and every failure as one sentence."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from learners.errors import AlluviaError
from stream import process

FINE, MISSING, REFUSED, UNEXPECTED, INTERRUPTED = 0, 1, 2, 70, 130
DEBUG = "--debug"
# The commands that build a learner, and so must find the same hash seed and BLAS everywhere.
PINNED_COMMANDS = ("run", "replay", "state", "check")


def main() -> None:
    """Run the command of this process's arguments, and exit."""
    arguments = sys.argv[1:]
    if next((one for one in arguments if not one.startswith("-")), None) in PINNED_COMMANDS:
        process.pin()
    if DEBUG in arguments:
        process.tell_all()
    else:
        process.quieten(_tell)
    code = invoke(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read the output has closed it; Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def invoke(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; failures are told on standard error.

    Returns
    -------
    int
        0 fine, 1 a key without a prediction, 2 refused, 70 not foreseen, 130 interrupted.
    """
    try:
        # Imported by name: without the optional extra it is not there, and that is told below.
        commands = importlib.import_module("stream.commands")
        return int(commands.run([one for one in arguments if one != DEBUG]))
    except KeyboardInterrupt:
        _tell("interrupted")
        return INTERRUPTED
    except Exception as error:
        if DEBUG in arguments:
            raise
        return _refuse(error)


def _refuse(error: Exception) -> int:
    if isinstance(error, AlluviaError):
        _tell(f"error: {_line(error)}")
        return REFUSED
    if isinstance(error, ModuleNotFoundError) and _is_of_the_extra(error.name or ""):
        _tell(
            f"error: the command wants {error.name}, which is not installed: "
            "pip install 'alluvia[service]'"
        )
        return REFUSED
    _tell(
        f"error: not foreseen, {type(error).__name__}: {_line(error)}; "
        "run again with --debug for the traceback"
    )
    return UNEXPECTED


def _is_of_the_extra(module: str) -> bool:
    return module.split(".")[0] not in (*process.PACKAGES, "")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
