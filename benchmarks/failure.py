"""What stops a benchmark before it has figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable


class BenchmarkError(Exception):
    """Something is missing; one sentence that says what, and what to do."""


def reported(main: Callable[[], int]) -> int:
    """Return the exit code of a benchmark; a failure is one sentence and one JSON object."""
    try:
        return main()
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        print(json.dumps({"pass": False, "error": str(error)}))
        return 1
