"""One run of `benchmarks.checkpoints`, in a process of its own."""

from __future__ import annotations

import sys

from benchmarks.checkpoints import child

if __name__ == "__main__":
    child(*sys.argv[1:])
