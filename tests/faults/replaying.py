"""Replays what a service took live: the same history gives the same model, however it is cut.

    python -m tests.faults.replaying [--records 10000] [--seed 1] [--learner L]

Real Kafka and real Redis, its own, in a temporary folder. Four partitions and labels that come
late in a topic of their own: a live run is stopped half-way and goes on to the end, and each time
`alluvia replay --journal` must come to all that the live shard holds. Without the journal, five
runs of `alluvia replay --log` that fetch and save at different places must come to one model, and
two up to a time to another. In one partition, which has no journal, the live run up to an offset
and `alluvia replay --log --to` must be equal. Exits 1 if not; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stream.app import Service
from stream.cli import invoke
from stream.config import load
from stream.inspection import restored
from stream.log import Place
from stream.loop import Loop
from stream.replay import renamed
from tests import streams
from tests.faults.dying import told_of
from tests.faults.kills import services
from tests.faults.member import TrialError
from tests.faults.shapes import LEARNERS, SHAPES
from tests.faults.trial import BATCH, Services, toml

Told = dict[str, Any]
Cut = tuple[int, int, int]
"""Bytes of a fetch, records of a poll and records between checkpoints."""
CUTS: tuple[Cut, ...] = (
    (4_096, 17, 97),
    (BATCH, 100, 250),
    (65_536, 500, 500),
    (2**20, 1_000, 5_000),
)
USUAL: Cut = (4 * 2**20, 5_000, 1_000)


def main() -> None:
    """Replay for each learner, print the figures, and exit 0 if nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.replaying")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learner", choices=LEARNERS, action="append")
    given = parser.parse_args()
    begun = time.monotonic()
    found = {}
    with services(None, None) as place:
        for learner in given.learner or LEARNERS:
            stream = streams.drifting(given.records, given.seed)
            found[learner] = hold(place, learner, stream, given.seed)
            print(f"{learner}: {found[learner]}", flush=True)
    passed = all(one["passed"] for one in found.values())
    seconds = round(time.monotonic() - begun, 1)
    print(json.dumps({"learners": found, "seconds": seconds, "passed": passed}))
    sys.exit(0 if passed else 1)


def hold(
    place: Services,
    learner: str,
    stream: streams.Stream,
    seed: int,
    cuts: Sequence[Cut] = CUTS,
) -> dict[str, Any]:
    """Run live and replay, without a journal also at some other cuts; return what was equal."""
    parted, alone = _History(place, "B", learner), _History(place, "A", learner)
    records, to = parted.feed(stream, seed), alone.feed(stream, seed) * 2 // 3
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(len(stream) // 2))
    same = {
        "half": [parted.live(stop_at=records // 2), parted.replayed("half", "--journal")],
        "whole": [parted.live(), parted.replayed("whole", "--journal")],
        "merged": parted.merged("merged", (USUAL, *cuts)),
        "early": parted.merged("early", (USUAL, cuts[0]), "--to", end),
        "bounded": [
            alone.live(until={(alone.config.log.topic, 0): to}),
            alone.replayed("bounded", "--log", "--to", str(to)),
        ],
    }
    equal = {name: all(one == told[0] for one in told) for name, told in same.items()}
    first = {name: told[0] for name, told in same.items()}
    apart = _apart(first, records, to)
    return {
        "records": {name: told["sequence"] for name, told in first.items()},
        "equal": equal,
        "digests": {name: told["digest"][:16] for name, told in first.items()},
        "apart": apart,
        "passed": apart and all(equal.values()),
    }


def _apart(first: Mapping[str, Told], records: int, to: int) -> bool:
    """Return whether each is of the range asked for: equal models of nothing would say little."""
    taken = {name: told["sequence"] for name, told in first.items()}
    digests = {told["digest"] for name, told in first.items() if name != "merged"}
    return (
        len(digests) == len(first) - 1
        and taken["whole"] == taken["merged"] == records
        and records // 2 <= taken["half"] < records
        and taken["bounded"] == to
        and 0 < taken["early"] < records
    )


@dataclasses.dataclass
class _History:
    """A service of one shape and learner, live and replayed."""

    place: Services
    shape: str
    learner: str

    def __post_init__(self) -> None:
        self.name = f"{self.shape.lower()}-{uuid.uuid4().hex[:12]}"
        self.config = load(self._written(USUAL))

    def feed(self, stream: streams.Stream, seed: int) -> int:
        """Make the topics; return how many records there are."""
        return SHAPES[self.shape].feed(self.config, stream, seed)

    def live(self, stop_at: int | None = None, until: dict[Place, int] | None = None) -> Told:
        """Run to the end, or until a number of records was taken, or up to offsets."""
        taken = [0]

        def watch(loop: Loop) -> None:
            taken[0] = loop.shard.sequence

        def stop() -> bool:
            return stop_at is not None and taken[0] >= stop_at

        return told_of(Service(self.config).run(until is None, stop, watch, until=until))

    def replayed(self, name: str, *history: str, cut: Cut = USUAL) -> Told:
        """Replay by the command, in this process; return what the model that came of it holds."""
        path = self._written(cut)
        name = f"{self.name}-{name}"
        with contextlib.redirect_stdout(io.StringIO()):
            code = invoke(["replay", str(path), *history, "--as", name])
        if code:
            raise TrialError(f"wanted a replay to its end, got exit {code}")
        return told_of(restored(renamed(load(path), name))[1])

    def merged(self, name: str, cuts: Sequence[Cut], *more: str) -> list[Told]:
        """Replay without the journal, once with each cut."""
        return [self.replayed(f"{name}-{i}", "--log", *more, cut=cut) for i, cut in enumerate(cuts)]

    def _written(self, cut: Cut) -> Path:
        """Write a configuration that fetches and saves so; nothing else of it differs."""
        size, polled, saved = cut
        options: dict[str, Any] = {"batch_size": BATCH, "max_partition_fetch_bytes": size}
        options |= {"max_poll_records": polled, "group_instance_id": self.name}
        log = {"kind": "kafka", "servers": self.place.servers, "options": options}
        values = {
            "name": self.name,
            "log": log,
            "store": {"kind": "redis", "url": self.place.redis},
            "checkpoint": {"records": saved},
            **SHAPES[self.shape].tables(self.name, "live", self.learner),
        }
        path = self.place.folder / f"{self.name}-{saved}.toml"
        path.write_text("\n".join(toml(values)), "utf-8")
        return path


if __name__ == "__main__":
    main()
