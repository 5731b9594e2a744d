"""One target of the fuzzer, in a process of its own.

    python -m tests.faults.fuzzing decode|config [options of libFuzzer] [folders of inputs]

An input that breaks a promise raises, and the fuzzer ends with it.
"""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["stream"]):
    from tests.faults import promises

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        targets = {
            "decode": promises.decode,
            "config": functools.partial(promises.config, folder=Path(folder)),
        }
        target = targets[sys.argv.pop(1)]
        atheris.Setup(sys.argv, target)
        atheris.Fuzz()
