"""What is never printed: values under secret names, and passwords inside URLs."""

from __future__ import annotations

import re
from typing import Any

MASK = "****"
_DEEPEST = 20
_NAME = re.compile(r"pass(word|wd|phrase)?$|secret|token|credential|api_?key|private", re.I)
_URL = re.compile(r"(?<=://)[^/@\s]*:[^\s]*(?=@)")


def is_secret(name: str) -> bool:
    """Return whether a value under this name is a secret.

    Examples
    --------
    >>> is_secret("sasl_plain_password"), is_secret("servers")
    (True, False)
    """
    return _NAME.search(name) is not None


def masked(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return the value as it may be printed; tables and lists are masked inside.

    Parameters
    ----------
    value
        Anything a configuration holds.
    name
        The key it stands under.
    depth
        How many tables and lists are around it; beyond a few it is not printed at all.

    Examples
    --------
    >>> masked({"url": "redis://app:hunter2@cache:6379/0", "ssl_password": "x"})
    {'url': 'redis://app:****@cache:6379/0', 'ssl_password': '****'}
    """
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, dict):
        return {key: masked(inner, str(key), depth + 1) for key, inner in value.items()}
    if value is not None and value != "" and is_secret(name):
        return MASK
    if isinstance(value, list | tuple):
        return [masked(inner, depth=depth + 1) for inner in value]
    if isinstance(value, str):
        return _URL.sub(lambda found: found[0].split(":", 1)[0] + ":" + MASK, value)
    return value
