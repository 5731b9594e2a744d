"""Patience: waits out what passes by itself, such as a full disk, and says so."""

from __future__ import annotations

import errno
import logging
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from stream.errors import StoreAwayError

T = TypeVar("T")

FIRST, LONGEST = 0.05, 1.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

logger = logging.getLogger(__name__)


def at_once() -> bool:
    """Say that nothing is waited for: the `stop` of who would rather hear of it."""
    return True


def outlast(
    action: Callable[[], T],
    passes: Callable[[Exception], bool],
    stop: Callable[[], bool],
    what: str,
) -> T:
    """Carry out an action again and again until it succeeds; return what it returns.

    Parameters
    ----------
    action
        May be repeated after it failed.
    passes
        Tells whether an error of it passes by itself; others are raised.
    stop
        Once it says so, the error is raised as well.
    what
        What takes no writes meanwhile; said once when the waiting begins, and when it ends.
    """
    pause = FIRST
    while True:
        try:
            result = action()
        except Exception as error:
            if not passes(error) or stop():
                raise
            if pause == FIRST:
                logger.warning("%s takes no writes (%s); waiting for it", what, error)
        else:
            if pause > FIRST:
                logger.warning("%s takes writes again", what)
            return result
        time.sleep(pause)
        pause = min(2 * pause, LONGEST)


def is_full(error: Exception) -> bool:
    """Return whether an error says that a disk or a quota is full."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def is_held(error: Exception) -> bool:
    """Return whether another process writes to a file of SQLite, perhaps one that stands still."""
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, sqlite3.Error) and code == sqlite3.SQLITE_BUSY


def is_away(error: Exception) -> bool:
    """Return whether an error says that a store takes no writes for now."""
    return isinstance(error, StoreAwayError)
