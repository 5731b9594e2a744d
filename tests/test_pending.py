"""Arrays of a state that are made when they are first read."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import numpy as np
import pytest

from learners.pending import Pending


def test_they_are_made_once_however_many_read_them_at_once() -> None:
    made: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def make() -> dict[str, Any]:
        made.append(1)
        begun.set()
        assert go.wait(10)
        return {"weights": np.arange(3.0)}

    arrays = Pending(make)
    seen: list[list[float]] = []

    def read() -> None:
        seen.append(arrays["weights"].tolist())

    threads = [threading.Thread(target=read) for _ in range(4)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert (len(made), seen) == (1, [[0.0, 1.0, 2.0]] * 4)


def test_they_cross_to_another_process_and_are_copied_as_what_was_made() -> None:
    arrays = Pending(lambda: {"weights": np.arange(3.0)})
    for other in pickle.loads(pickle.dumps(arrays)), copy.deepcopy(arrays):
        assert list(other) == ["weights"]
        assert other["weights"] is not arrays["weights"]
        np.testing.assert_array_equal(other["weights"], arrays["weights"])


def test_what_fails_fails_for_each_who_reads() -> None:
    def make() -> dict[str, Any]:
        raise ValueError("torn")

    arrays = Pending(make)
    for _ in range(2):
        with pytest.raises(ValueError, match="torn"):
            len(arrays)
