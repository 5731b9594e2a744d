"""The commands of `alluvia`, and what each is asked with."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from stream.errors import ConfigError

Configuration = Annotated[Path, typer.Argument(metavar="CONFIG", help="The service's TOML file.")]
Keys = Annotated[list[str], typer.Argument(metavar="KEY...", help="Keys of records.")]
Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV, JSON lines (.gz too) or Parquet.")
]
UntilEnd = Annotated[
    bool, typer.Option("--until-end", help="Stop where each partition ends at the start.")
]
AcceptGap = Annotated[
    bool,
    typer.Option("--accept-gap", help="Go on, in a new lineage, where the log lost records."),
]
Partitions = Annotated[
    int | None, typer.Option(min=1, help="Partitions of the topic: 1 if it is made here.")
]
Rate = Annotated[str | None, typer.Option(metavar="N/s", help="Records per second at most.")]
Columns = Annotated[
    str | None, typer.Option(metavar="A,B", help="Names of the columns of CSV without a header.")
]
Labels = Annotated[
    bool, typer.Option("--labels", help=r"Append to the topic of \[label], keyed by the id.")
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="[HOST:]PORT", help="Serve /metrics, /live and /ready over HTTP here."
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Show this many at most.")]
FeedBack = Annotated[
    Path | None,
    typer.Option(
        "--feed-back",
        metavar="FILE",
        help="Append these again: lines as --full prints them, mended.",
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Show all bytes of a long record.")]
History = Annotated[
    list[Path] | None, typer.Option("--file", metavar="FILE", help="History; may be repeated.")
]
FromLog = Annotated[bool, typer.Option("--log", help="History is the service's own topics.")]
FromJournal = Annotated[
    bool, typer.Option("--journal", help="The same, in the order that the service took it in.")
]
From = Annotated[
    str | None, typer.Option("--from", metavar="X", help="Offset or RFC 3339 time to begin at.")
]
To = Annotated[
    str | None, typer.Option("--to", metavar="Y", help="Offset or RFC 3339 time to end before.")
]
ProcessCount = Annotated[
    int,
    typer.Option(
        "--processes", metavar="N", min=1, help="Learn the windows of an ensemble in so many."
    ),
]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the replayed model.")]

app = typer.Typer(
    help="Learn from a stream: predict, then learn, record by record, and never start over.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: Sequence[str]) -> int:
    """Run the command of these arguments and return its exit code."""
    try:
        app(args=list(arguments), prog_name="alluvia")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _do(module: str, name: str, *given: object) -> Any:
    """Do a command's work, imported only when it is asked for: help must not wait for it."""
    work = getattr(importlib.import_module(f"stream.{module}"), name)
    try:
        return work(*given)
    except SystemExit as end:
        # Only what a user wrote calls this here: a model's file, or a learner of its own.
        frames = traceback.extract_tb(end.__traceback__)
        place = next(frame for frame in reversed(frames) if not frame.filename.startswith("<"))
        raise ConfigError(
            "wanted a learner's code to return or raise, got a call of sys.exit in "
            f"{Path(place.filename).name}, line {place.lineno}: take it out"
        ) from end


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alluvia {version('alluvia')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print tracebacks, and what libraries log.")
    ] = False,
) -> None:
    """Both are dealt with before a command begins."""


@app.command("run")
def _run(
    config: Configuration,
    until_end: UntilEnd = False,
    metrics: Metrics = None,
    accept_gap: AcceptGap = False,
) -> None:
    """Run the service: take records, predict, learn, and answer look-ups.

    SIGTERM or Ctrl-C finishes the block, saves and leaves; a second one stops at once.
    """
    _do("runner", "run", config, until_end, metrics, accept_gap)


@app.command()
def feed(
    config: Configuration,
    files: Files,
    partitions: Partitions = None,
    rate: Rate = None,
    columns: Columns = None,
    labels: Labels = False,
) -> None:
    """Append the records of files to the service's topic, which is made if it is missing."""
    named = columns.split(",") if columns else None
    _do("feed", "feed", config, files, partitions, rate, named, labels)


@app.command()
def lookup(config: Configuration, keys: Keys) -> None:
    """Print the stored prediction of each key as a line of JSON; exit 1 if one has none."""
    if not _do("lookup", "lookup", config, keys):
        raise typer.Exit(1)


@app.command()
def state(config: Configuration) -> None:
    """Print what the newest checkpoint holds, as JSON; the service may be running."""
    _do("inspection", "state", config)


@app.command()
def dead(
    config: Configuration, limit: Limit = None, full: Full = False, feed_back: FeedBack = None
) -> None:
    """Print the records that were set aside, a line of JSON each, with reason and bytes.

    With --feed-back, append mended ones to their topic again, each once; none, if one of them
    could not be decoded.
    """
    if feed_back is None:
        _do("listing", "dead", config, limit, full)
    else:
        _do("feed_back", "feed_back", config, feed_back)


@app.command()
def replay(
    config: Configuration,
    name: As,
    files: History = None,
    log: FromLog = False,
    journal: FromJournal = False,
    first: From = None,
    end: To = None,
    processes: ProcessCount = 1,
) -> None:
    """Run history through the same loop into a model of its own, which keeps its own name.

    History is files (--file) or the service's topics, their partitions merged by time (--log) or
    in the order that the service took them in (--journal). Interrupted, it goes on when started
    again.
    """
    if [bool(files), log, journal].count(True) != 1:
        raise typer.BadParameter(
            "wanted one of --file, --log and --journal: say where history comes from"
        )
    if journal and (first or end):
        raise typer.BadParameter("wanted no bounds with --journal: it is replayed as a whole")
    _do("replay", "replay", config, name, files or [], first, end, journal, processes)


@app.command()
def check(config: Configuration) -> None:
    """Check the configuration, log and store; show the learner, the fields, what would happen."""
    _do("check", "check", config)
