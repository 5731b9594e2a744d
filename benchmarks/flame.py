"""A flame graph: stacks as boxes over one another, each as wide as it was often seen."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

WIDTH, BAR, LEAST = 1_200, 17, 0.4
LETTER = 6.6
STYLE = "font-family:system-ui,sans-serif;font-size:11px"
OURS, COMPILED, THEIRS, TOP = "#8fc1d4", "#f2b872", "#d8d4c9", "#b9b4a7"
# What every stack of a thread begins with, and what is done before and after the records.
_BELOW = re.compile(r"^(_run_|<module>|main |Thread\.|Service\.run|Session\.run)")
_FLOWING = (
    "Loop.turns",
    "Writer._run",
    "Publication._run",
    "ProcessLog._read",
    "Worker._",
    "Fetch",
)
_COMPILES, _WORKER = "_compile_for_args", "-m stream.log_worker"
_FRAME = re.compile(r"^(?P<name>.*) \((?P<file>[^()]*?):\d+\)$")

Stacks = collections.Counter[tuple[str, ...]]


def stacks(raw: str) -> Stacks:
    """Return stacks as py-spy writes them, each with how often it was seen.

    The first frame is the thread; frames of one function are one, whichever line they were at.

    Examples
    --------
    >>> raw = 'thread (7): MainThread;main (a.py:1);Loop.turns (b.py:2);f (c.py:3) 4'
    >>> stacks(raw)
    Counter({('MainThread', 'Loop.turns b.py', 'f c.py'): 4})
    """
    found: Stacks = collections.Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        threads = [i for i, frame in enumerate(frames) if frame.startswith("thread (")]
        if not threads or not any(name in stack for name in _FLOWING) or _COMPILES in stack:
            continue
        thread = frames[threads[0]].partition(": ")[2]
        if _WORKER in stack:
            thread = f"reading process, {thread}"
        own = [_named(frame) for frame in frames[threads[0] + 1 :] if not _BELOW.match(frame)]
        found[thread, *own] += int(count)
    return found


def drawn(found: Stacks) -> str:
    """Return the graph as SVG; a box tells its share when pointed at."""
    whole = max(1, sum(found.values()))
    boxes: list[str] = []
    deepest = _boxes(sorted(found.items()), 0, 0.0, WIDTH / whole, whole, boxes)
    height = (deepest + 1) * BAR
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'style="{STYLE}"><rect width="100%" height="100%" fill="#ffffff"/>\n'
        + "\n".join(boxes)
        + "\n</svg>\n"
    )


def _boxes(
    rows: Sequence[tuple[tuple[str, ...], int]],
    depth: int,
    left: float,
    scale: float,
    whole: int,
    boxes: list[str],
) -> int:
    """Draw the frames at a depth, and what stands on them; return the greatest depth."""
    deepest = depth
    for name, group in _grouped(rows, depth):
        seen = sum(count for _, count in group)
        width = seen * scale
        if width >= LEAST:
            boxes.append(_box(name, left, depth, width, seen / whole))
            deepest = max(deepest, _boxes(group, depth + 1, left, scale, whole, boxes))
        left += width
    return deepest


def _grouped(
    rows: Iterable[tuple[tuple[str, ...], int]], depth: int
) -> list[tuple[str, list[tuple[tuple[str, ...], int]]]]:
    groups: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for frames, count in rows:
        if len(frames) > depth:
            groups.setdefault(frames[depth], []).append((frames, count))
    return list(groups.items())


def _box(name: str, left: float, depth: int, width: float, share: float) -> str:
    top = depth * BAR
    shown = name if len(name) * LETTER < width - 6 else name[: max(0, int((width - 6) / LETTER))]
    text = f'<text x="{left + 3:.1f}" y="{top + 12}">{escape(shown)}</text>' if shown else ""
    return (
        f'<g><title>{escape(name)}: {share:.1%}</title><rect x="{left:.1f}" y="{top}" '
        f'width="{max(width - 0.3, 0.2):.1f}" height="{BAR - 1}" fill="{_colour(name, depth)}"/>'
        f"{text}</g>"
    )


def _colour(name: str, depth: int) -> str:
    if depth == 0:
        return TOP
    if "learners/compiled" in name:
        return COMPILED
    return OURS if re.search(r" (stream|learners|ensembles)/", name) else THEIRS


def _named(frame: str) -> str:
    """Return a frame without the line it was at."""
    parts = _FRAME.match(frame)
    return f"{parts['name']} {parts['file']}" if parts else frame
