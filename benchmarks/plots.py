"""Plots of the figures in a file of results, as SVG.

    python -m benchmarks.plots benchmarks/results/<file>.json [--folder docs/plots]

Bars are on one linear scale from zero, with their value at the end and the accuracy beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 250, 200, 20, 56
OURS, PEERS, INK, PALE = "#1f6f8b", "#b9b4a7", "#222222", "#777777"
STYLE = "font-family:system-ui,sans-serif;font-size:13px"
PEER_NAMES = {
    "capymoa": "CapyMOA",
    "river": "river",
    "partial_fit": "scikit-learn, partial_fit",
    "forest_river": "river, first 20,000",
    "forest_1_sqrt": "CapyMOA",
}
OUR_NAMES = {
    "forest_1_sqrt": "Alluvia, one thread",
    "forest_2_sqrt": "Alluvia, two threads",
}


class Bar(NamedTuple):
    """One bar: what it is of, how long, what is said behind it, and whether it is ours."""

    name: str
    value: float
    told: str
    ours: bool


Groups = Mapping[str, Sequence[Bar]]


def main() -> int:
    """Draw all plots of a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("results", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("docs/plots"))
    asked = parser.parse_args()
    draw(json.loads(asked.results.read_text("utf-8")), asked.folder)
    return 0


def draw(report: Mapping[str, Any], folder: Path) -> None:
    """Draw what a report has figures of; a program that failed before it had any gets no plot."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = f"{report['machine']['cpu']}, {report['machine']['cores']} cores"
    for name, (title, groups) in PLOTS.items():
        figures = report["programs"].get(name, {})
        if figures and "error" not in figures:
            text = bars(title, f"{machine}, {report['begun'][:10]}", groups(figures))
            (folder / f"{name}.svg").write_text(text, "utf-8")


def bars(title: str, below: str, groups: Groups) -> str:
    """Return groups of bars as SVG."""
    longest = max(bar.value for group in groups.values() for bar in group)
    rows, y = [], TOP
    for group, found in groups.items():
        rows.append(_text(16, y + 14, group, INK, "font-weight:600"))
        y += ROW + 2
        for bar in found:
            long = max(1.0, bar.value / longest * (WIDTH - LEFT - RIGHT))
            rows.append(_text(32, y + 14, bar.name, INK))
            rows.append(
                f'<rect x="{LEFT}" y="{y + 2}" width="{long:.1f}" height="{ROW - 5}" '
                f'fill="{OURS if bar.ours else PEERS}"/>'
            )
            rows.append(_text(LEFT + long + 8, y + 14, bar.told, INK))
            y += ROW
        y += 10
    head = [_text(16, 24, title, INK, "font-weight:700;font-size:15px")]
    head.append(_text(16, 43, below, PALE))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}" '
        f'style="{STYLE}"><rect width="100%" height="100%" fill="#ffffff"/>\n'
        + "\n".join(head + rows)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, colour: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}" style="{style}">{escape(text)}</text>'


def _learners(figures: Mapping[str, Any], names: Sequence[str]) -> Groups:
    """Return by stream our bars and those of the peers; one of each name, as first met."""
    groups: dict[str, list[Bar]] = {}
    for stream, found in figures["streams"].items():
        group: dict[str, Bar] = {}
        for name in names:
            ours, peer = found[name]["ours"], found[name]["peer"]
            mine, theirs = OUR_NAMES.get(name, "Alluvia"), PEER_NAMES.get(name, "CapyMOA")
            group.setdefault(mine, _speed(mine, ours, True))
            group.setdefault(theirs, _speed(theirs, peer, False))
        groups[stream] = sorted(group.values(), key=lambda bar: not bar.ours)
    return groups


def _speed(name: str, found: Mapping[str, float], ours: bool) -> Bar:
    told = f"{found['rate']:,.0f}/s, accuracy {found['accuracy']:.4f}"
    return Bar(name, found["rate"], told, ours)


def _loop(figures: Mapping[str, Any]) -> Groups:
    found = [
        _speed(name, sorted(rounds, key=_rate)[len(rounds) // 2], name.startswith("alluvia"))
        for name, rounds in figures["rounds"].items()
    ]
    return {"records a second": sorted(found, key=lambda bar: -bar.value)}


def _rate(found: Mapping[str, float]) -> float:
    return found["rate"]


def _flat(figures: Mapping[str, Any]) -> Groups:
    times = figures["times"]
    step = max(1, len(times) // 25)
    return {
        "seconds for each million": [
            Bar(f"{i + 1}", times[i], f"{times[i]:.2f} s", True) for i in range(0, len(times), step)
        ]
    }


def _latency(figures: Mapping[str, Any]) -> Groups:
    rates = {rate: found for rate, found in figures.items() if rate.isdigit()}
    return {
        f"{int(rate):,} records a second": [
            Bar(share, found[share], f"{found[share]:.1f} ms", True)
            for share in ("p50", "p99", "p99.9")
        ]
        for rate, found in rates.items()
    }


PLOTS: dict[str, tuple[str, Any]] = {
    "loop": ("The whole loop, real Kafka to real Redis", _loop),
    "learners_linear": (
        "Scaling and logistic regression, test-then-train",
        lambda figures: _learners(figures, ["river", "partial_fit"]),
    ),
    "learners_tree": (
        "Hoeffding tree, test-then-train",
        lambda figures: _learners(figures, ["capymoa", "river"]),
    ),
    "learners_forest": (
        "Adaptive random forest of ten, test-then-train",
        lambda figures: _learners(figures, ["forest_1_sqrt", "forest_2_sqrt", "forest_river"]),
    ),
    "flat": ("Cost of a record, history from Parquet", _flat),
    "latency": ("From a record's append to its prediction's being readable", _latency),
}


if __name__ == "__main__":
    sys.exit(main())
