"""Tables of scores and members for a person, on a terminal or on paper."""

from __future__ import annotations

import itertools
from typing import Any

from rich.table import Table

BAR = 20
NONE = "-"


def score_table(scores: dict[str, Any], most: int | None = None) -> Table:
    """Return the scores, overall and recent, each beside its baselines; the first ones if many."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("score", no_wrap=True)
    columns: list[dict[str, Any]] = []
    for span in ("overall", "recent"):
        table.add_column(span, justify="right", style="bold green")
        columns.append(scores.get(span, {}))
        for name, figures in scores.get(f"{span}_baselines", {}).items():
            table.add_column(words(name), justify="right", style="dim")
            columns.append(figures)
    metrics = dict.fromkeys(name for figures in columns for name in figures)
    for metric in itertools.islice(metrics, most):
        table.add_row(words(metric), *(number(figures.get(metric)) for figures in columns))
    return table


def member_table(members: list[dict[str, Any]]) -> Table:
    """Return the members with their windows and votes, the oldest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("member")
    for name in ("window", "learned", "loss", "vote"):
        table.add_column(name, justify="right")
    table.add_column("")
    for member in members:
        table.add_row(
            f"{member['index']}{'' if member['closed'] else ' (open)'}",
            f"{member['first']:,} to {member['last']:,}",
            f"{member['learned']:,}",
            number(member["loss"]),
            number(member["weight"]),
            "█" * round(BAR * (member["weight"] or 0.0)),
            style="" if member["closed"] else "cyan",
        )
    return table


def label_rows(labels: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what became of late labels as names and figures."""
    repeated = f"{labels['repeated_ids']:,} ids, {labels['repeated_labels']:,} labels"
    return [
        ("waiting", f"{labels['waiting']:,}"),
        ("matched", share(labels["share_matched"])),
        ("label lag", NONE if labels["lag"] is None else span(labels["lag"]["recent"])),
        ("in vain", f"{labels['expired'] + labels['evicted']:,}"),
        ("unmatched labels", f"{labels['unmatched']:,}"),
        ("repeated", repeated),
    ]


def labels_line(labels: dict[str, Any]) -> str:
    """Return what became of late labels in a line."""
    return "labels: " + ", ".join(f"{name} {figure}" for name, figure in label_rows(labels))


def words(name: str) -> str:
    """Return the name of a figure as words.

    Examples
    --------
    >>> words("repeat_last")
    'repeat last'
    """
    return name.replace("_", " ")


def number(value: float | None) -> str:
    """Return a figure in a few digits, "-" for None.

    Examples
    --------
    >>> number(0.87621), number(12345.6), number(3), number(None)
    ('0.8762', '12,345.6', '3', '-')
    """
    if value is None:
        return NONE
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 1e9:
        return f"{value:.4g}"
    return f"{value:,.1f}" if abs(value) >= 1e4 else f"{value:.4f}"


def share(value: float | None) -> str:
    """Return a share of the whole in percent.

    Examples
    --------
    >>> share(0.98765), share(None)
    ('98.8%', '-')
    """
    return NONE if value is None else f"{100 * value:.1f}%"


def span(milliseconds: float) -> str:
    """Return a span of time in its largest unit.

    Examples
    --------
    >>> span(950), span(-5_400_000), span(864_000_000)
    ('950 ms', '-1.5 h', '10.0 d')
    """
    for name, unit in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if abs(milliseconds) >= unit:
            return f"{milliseconds / unit:.1f} {name}"
    return f"{milliseconds:.0f} ms"


def rate(value: float | None) -> str:
    """Return records per second.

    Examples
    --------
    >>> rate(38201.4), rate(None)
    ('38,201/s', '-')
    """
    return NONE if value is None else f"{value:,.0f}/s"
