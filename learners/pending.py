"""Arrays of a state that are made when they are first read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class Pending(Mapping[str, NDArray[Any]]):
    """Arrays by name, made when somebody first looks.

    A learner whose state takes long to put in order copies what it holds and leaves the rest to
    who reads the state: for a checkpoint that is a thread, while records go on.

    Parameters
    ----------
    make
        Returns the arrays, out of what nothing changes any more; called once.

    Examples
    --------
    >>> import numpy as np
    >>> arrays = Pending(lambda: {"weights": np.zeros(2)})
    >>> {name: array.tolist() for name, array in arrays.items()}
    {'weights': [0.0, 0.0]}
    """

    def __init__(self, make: Callable[[], dict[str, NDArray[Any]]]) -> None:
        self._make = [make]
        self._made = Future[dict[str, NDArray[Any]]]()

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __reduce__(self) -> tuple[type, tuple[dict[str, NDArray[Any]]]]:
        """Cross to another process as what was made."""
        return dict, (self._read(),)

    def _read(self) -> dict[str, NDArray[Any]]:
        try:
            make = self._make.pop()
        except IndexError:
            return self._made.result()  # another made them, or does just now
        try:
            self._made.set_result(make())
        except BaseException as error:
            self._made.set_exception(error)
        return self._made.result()
