"""Look-ups while the service runs at full speed, against a plain HGETALL on an idle Redis.

    python -m benchmarks.lookup [--records 1000000] [--seconds 10]

Three ways take turns under the same load of the processors: the Python client and redis-cli on
the Redis that the service writes to, and redis-py's HGETALL on a second one that nobody else
uses, with the same hashes in it. Exits 1 if the client's p99 is more than three times that of
the plain HGETALL, or if a guarded script held Redis for more than 1 ms by Redis' own slow log.
That log also counts the time for which the kernel runs another process in the middle of a
script, and here everything shares two cores. So scripts over 1 ms under load are printed, and
what decides is a second part: the same 100,000 predictions are written to three new Redis, one
after the other, with nothing else running, no broker either. What a script does itself it does
each time, so one that held Redis for more than 1 ms in all three is one too many.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import redis

from benchmarks.loop import feed
from benchmarks.loop_alluvia import configuration
from benchmarks.services import Services, running
from stream.client import Client
from stream.store import Entry
from stream.store_redis import RedisStore

FLOOR = 3.0
HOLD_US = 1_000
LOADED = 1_000
PASSES = 3
ALONE, KEYS = 100_000, 20_000
PROBABILITIES = '{"true":0.75,"false":0.25}'


def main() -> int:
    """Measure and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with (
        running() as services,
        idle_redis() as idle,
        tempfile.TemporaryDirectory() as folder,
        redis.Redis.from_url(services.redis_url, decode_responses=True) as busy,
    ):
        watch_scripts(busy)
        feed(services.servers, asked.records)
        with service(services, folder, asked.records) as process:
            times = measure(services, Path(folder), busy, idle, asked.seconds)
            in_time = process.poll() is None
        under_load = slow_scripts(busy)
        calls = busy.info("commandstats")["cmdstat_fcall"]
    alone = [passed_alone() for _ in range(PASSES)]
    figures: dict[str, Any] = {name: percentiles(taken) for name, taken in times.items()}
    ratio = figures["client"]["p99"] / figures["plain"]["p99"]
    figures |= {
        "ratio": ratio,
        "scripts": calls["calls"],
        "script_mean_us": calls["usec_per_call"],
        "scripts_over_1ms_under_load": len(under_load),
        "scripts_over_1ms_alone": [len(slow) for slow in alone],
        "scripts_over_1ms_each_time": len(set.intersection(*alone)),
        "service_ran_throughout": in_time,
    }
    figures["pass"] = ratio <= FLOOR and not set.intersection(*alone) and in_time
    show(figures)
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


def measure(
    services: Services, folder: Path, busy: Any, idle: Any, seconds: float
) -> dict[str, list[float]]:
    """Take turns for some seconds; return the seconds each look-up took."""
    while busy.dbsize() < LOADED:
        time.sleep(0.01)
    prefix = f"alluvia:{{{configuration(services, folder).name}}}:prediction:"
    keys = [key.removeprefix(prefix) for key in busy.scan_iter(f"{prefix}*", LOADED)][:LOADED]
    for key in keys:
        idle.hset(prefix + key, mapping=busy.hgetall(prefix + key))
    chance = random.Random(1)
    times: dict[str, list[float]] = {"client": [], "redis_cli": [], "plain": []}
    with Client(configuration(services, folder)) as client, redis_cli(busy) as ask:
        ways: dict[str, Callable[[str], object]] = {
            "client": client.lookup,
            "redis_cli": lambda key: ask(prefix + key),
            "plain": lambda key: idle.hgetall(prefix + key),
        }
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            key = chance.choice(keys)
            for name, way in ways.items():
                begun = time.perf_counter()
                way(key)
                times[name].append(time.perf_counter() - begun)
    return times


def slow_scripts(client: Any) -> list[bytes]:
    """Return the command of each guarded script over the bound since the last call, cut short."""
    entries = client.slowlog_get(10_000)
    client.slowlog_reset()
    return [entry["command"] for entry in entries if is_guarded(entry)]


def watch_scripts(client: Any) -> None:
    """Let a Redis note what holds it for too long."""
    client.config_set("slowlog-log-slower-than", HOLD_US)
    client.config_set("slowlog-max-len", 10_000)


def passed_alone() -> set[tuple[int, bytes]]:
    """Write predictions of new and of known keys, as the service does; return slow scripts."""
    slow = set()
    with idle_redis() as own:
        watch_scripts(own)
        url = f"redis://127.0.0.1:{own.connection_pool.connection_kwargs['port']}/0"
        with contextlib.closing(RedisStore(url, "alone", 3_600_000)) as store:
            store.claim(1)
            for i in range(0, ALONE, KEYS):
                store.put(
                    [
                        Entry(f"k{k}", "true", PROBABILITIES, 1, i + k, "t", 0, i + k, 0)
                        for k in range(KEYS)
                    ]
                )
                slow |= {(i, command) for command in slow_scripts(own)}
    return slow


@contextlib.contextmanager
def service(services: Services, folder: str, records: int) -> Iterator[subprocess.Popen[str]]:
    """Run the service at full speed for as long as the look-ups last."""
    arguments = [services.servers, services.redis_url, folder, str(records)]
    command = [sys.executable, "-m", "benchmarks.loop_alluvia", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def idle_redis() -> Iterator[Any]:
    """Start a Redis that nobody else uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, retry_on_error=[redis.ConnectionError]) as client:
            while True:
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    break
            yield client
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def redis_cli(busy: Any) -> Iterator[Callable[[str], list[str]]]:
    """Keep one redis-cli open; return what asks it for a hash."""
    port = str(busy.connection_pool.connection_kwargs["port"])
    process = subprocess.Popen(
        ["redis-cli", "-p", port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    asked, answered = pipes(process)

    def ask(key: str) -> list[str]:
        # The echo marks where the answer ends; without a terminal redis-cli prints plain lines.
        asked.write(f"HGETALL {key}\nECHO end-of-answer\n")
        asked.flush()
        return list(iter(lambda: answered.readline().strip(), "end-of-answer"))

    try:
        yield ask
    finally:
        asked.close()
        answered.close()
        process.wait()


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Return both pipes of a process that was given them."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("wanted a process with pipes, got none")
    return process.stdin, process.stdout


def is_guarded(entry: dict[str, Any]) -> bool:
    """Return whether a line of the slow log is a call of the service's functions."""
    return bytes(entry["command"]).startswith(b"FCALL")


def percentiles(times: list[float]) -> dict[str, float]:
    """Return how many there were, and p50 and p99 in microseconds."""
    ordered = sorted(times)
    at = {name: ordered[int(len(ordered) * share)] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {"count": len(ordered)} | {name: round(value * 1e6, 1) for name, value in at.items()}


def show(figures: dict[str, Any]) -> None:
    """Print the table."""
    for name, what in (
        ("client", "Python client, busy Redis"),
        ("redis_cli", "redis-cli, busy Redis"),
        ("plain", "plain HGETALL, idle Redis"),
    ):
        found = figures[name]
        print(f"{what:<28} p50 {found['p50']:>8.1f} us  p99 {found['p99']:>8.1f} us")
    print(
        f"p99 ratio {figures['ratio']:.2f} (<= {FLOOR}); {figures['scripts']:,} scripts of "
        f"{figures['script_mean_us']:.0f} us in the mean; over 1 ms: "
        f"{figures['scripts_over_1ms_under_load']} under load, "
        f"{', '.join(map(str, figures['scripts_over_1ms_alone']))} alone, "
        f"{figures['scripts_over_1ms_each_time']} of them each time"
    )


if __name__ == "__main__":
    sys.exit(main())
