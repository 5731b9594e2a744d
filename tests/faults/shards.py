"""A model for each partition, moved between instances that come, leave and are killed.

    python -m tests.faults.shards [--records 40000] [--seed 1]

Real Kafka and real Redis, its own, in a temporary folder. One instance, then three, of which one
is killed with SIGKILL and one ends by SIGTERM, while four partitions are fed. Each partition's
model must be that of its records taken once, and the topic of predictions must have each once.
Exits 1 if not; the last line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from learners.digests import digest
from stream.app import Service
from stream.config import Config, load
from stream.inspection import newest, restored
from stream.log import Message
from stream.log_kinds import open_appender, read_topic
from tests import runner, streams
from tests.faults.kills import services
from tests.faults.left import sent, values
from tests.faults.member import TrialError
from tests.faults.trial import Services

PARTITIONS = 4
TIMEOUT = 240.0
TEXT = """
name = "{name}"
task = "classification"
{tables}
[record]
label = "label"
classes = [false, true]
[model]
pipeline = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
[checkpoint]
every = "500ms"
records = 500
"""
ON_KAFKA = """
scope = "partition"
predictions.topic = "{name}-predictions"
store.kind = "redis"
store.url = "{redis}"
[log]
kind = "kafka"
servers = "{servers}"
options.session_timeout_ms = 6000
options.heartbeat_interval_ms = 500
"""


class Trial:
    """Instances of one service, and the stream they take."""

    def __init__(self, place: Services, name: str) -> None:
        self._place = place
        tables = ON_KAFKA.format(name=name, redis=place.redis, servers=place.servers)
        self._path = place.folder / f"{name}.toml"
        self._path.write_text(TEXT.format(name=name, tables=tables), "utf-8")
        self._errors = place.folder / f"{name}.errors"
        self.config = load(self._path)
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start one more instance."""
        command = [sys.executable, "-m", "stream.cli", "run", str(self._path)]
        with self._errors.open("ab") as errors:
            self.running.append(
                subprocess.Popen(command, cwd=runner.ROOT, stdout=subprocess.DEVNULL, stderr=errors)
            )

    def end(self, number: int, by: signal.Signals) -> int:
        """End an instance; return its exit code."""
        process = self.running.pop(number)
        process.send_signal(by)
        return process.wait(60)

    def feed(self, messages: Sequence[Message]) -> None:
        """Append messages."""
        with contextlib.closing(open_appender(self.config)) as appender:
            appender.create(PARTITIONS)
            appender.append(messages)

    def taken(self) -> int:
        """Return how many records the checkpoints of all partitions have."""
        saved = [newest(self.config.of_partition(p)) for p in range(PARTITIONS)]
        return sum(one.sequence for one in saved if one is not None)

    def wait(self, count: int) -> None:
        """Wait until so many records are in checkpoints.

        Raises
        ------
        TrialError
            An instance ended, or it takes too long.
        """
        self._until(lambda: self.taken() >= count, f"{count:,} records in checkpoints")

    def _until(self, done: Callable[[], bool], wanted: str) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not done():
            ended = [process.returncode for process in self.running if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                said = self._errors.read_text("utf-8").splitlines()[-3:]
                raise TrialError(f"wanted {wanted}, got {self.taken():,}; ended: {ended}, {said}")
            time.sleep(0.2)

    def expected(self, partition: int) -> str:
        """Return the digest of a model that takes a partition's records, alone and undisturbed."""
        folder = self._place.folder / f"{self.config.name}-{partition}"
        folder.mkdir()
        alone = Config.of(
            {
                "name": "alone",
                "task": "classification",
                "log": {"path": "log.db"},
                "store": {"path": "store.db"},
                "record": {"label": "label", "classes": [False, True]},
                "model": {"pipeline": self.config.model.pipeline},
            },
            folder,
        )
        found = read_topic(self.config, self.config.log.topic)
        runner.feed(alone, [message for p, _, message in found if p == partition])
        return digest(Service(alone).run(until_end=True).learner.estimator)


def hold(place: Services, records: int, seed: int) -> dict[str, Any]:
    """Move four models between one to three instances; return the figures."""
    trial = Trial(place, f"shards-{time.time_ns()}")
    draw = random.Random(seed)
    stream = streams.drifting(records, seed=seed)
    messages = [
        Message(b"%d" % (i % 997), json.dumps({**x, "label": y == "UP"}).encode(), 1_000 * i)
        for i, (x, y) in enumerate(stream)
    ]
    codes = _move(trial, messages, draw)
    config = trial.config
    models = [restored(config.of_partition(p))[1] for p in range(PARTITIONS)]
    equal = [digest(shard.learner.estimator) == trial.expected(p) for p, shard in enumerate(models)]
    predictions = len(sent(config, f"{config.name}-predictions"))
    stored = values(place.redis, config.name)
    last = _newest_of_each(config)
    figures = {
        "records": records,
        "taken": [shard.sequence for shard in models],
        "equal": equal,
        "predictions": predictions,
        "values": len(stored),
        "values_newest": last
        == {key: (int(one["partition"]), int(one["offset"])) for key, one in stored.items()},
        "exit_codes": codes,
    }
    figures["passed"] = (
        all(equal)
        and sum(shard.sequence for shard in models) == predictions == records
        and figures["values_newest"]
        and codes == [0, 0]
    )
    return figures


def _move(trial: Trial, messages: Sequence[Message], draw: random.Random) -> list[int]:
    """Feed while instances come, leave and die; return the exit codes of those that left."""
    quarter = len(messages) // 4
    parts = [messages[i * quarter : (i + 1) * quarter] for i in range(3)]
    parts.append(messages[3 * quarter :])
    codes = []
    try:
        trial.feed(parts[0])
        trial.start()
        trial.wait(draw.randrange(quarter // 4, quarter // 2))
        trial.start()
        trial.start()
        trial.feed(parts[1])
        trial.wait(quarter + draw.randrange(quarter))
        trial.end(draw.randrange(3), signal.SIGKILL)
        trial.feed(parts[2])
        trial.wait(2 * quarter + draw.randrange(quarter))
        codes.append(trial.end(draw.randrange(2), signal.SIGTERM))
        trial.feed(parts[3])
        trial.wait(len(messages))
        codes.append(trial.end(0, signal.SIGTERM))
    finally:
        while trial.running:
            trial.end(0, signal.SIGKILL)
    return codes


def _newest_of_each(config: Config) -> dict[str, tuple[int, int]]:
    """Return partition and offset of the last record of each key, by its key in Redis."""
    found = sorted(read_topic(config, config.log.topic), key=lambda one: one[:2])
    return {
        f"alluvia:{{{config.name}}}:prediction:{(message.key or b'').decode()}": (p, offset)
        for p, offset, message in found
    }


def main() -> None:
    """Hold the trial, print its figures, and exit 0 if each record was taken once."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.shards")
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with services(None, None) as place:
        figures = hold(place, given.records, given.seed)
    print(json.dumps(figures))
    sys.exit(0 if figures["passed"] else 1)


if __name__ == "__main__":
    main()
