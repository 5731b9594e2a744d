"""Look-ups while the service runs at full speed, against a plain HGETALL on an idle Redis.

    python -m benchmarks.lookup [--records 1000000] [--seconds 10]

Three ways take turns under the same load of the processors: the Python client and redis-cli on
the Redis that the service writes to, and redis-py's HGETALL on a second one that nobody else
uses, with the same hashes in it. Exits 1 if the client's p99 is more than three times that of
the plain HGETALL, or if a guarded script held Redis for more than 1 ms by Redis' own slow log.
That log counts the time for which the kernel lets another process run in the middle of a script,
and here everything shares two cores; so both servers get a higher priority where the benchmark
may give it, and the output says whether they did.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
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

FLOOR = 3.0
HOLD_US = 1_000
LOADED = 1_000


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
        busy.config_set("slowlog-log-slower-than", HOLD_US)
        busy.config_set("slowlog-max-len", 10_000)
        alone = prefer(services.redis_pid) and prefer(idle.info("server")["process_id"])
        feed(services.servers, asked.records)
        with service(services, folder, asked.records) as process:
            times = measure(services, Path(folder), busy, idle, asked.seconds)
            in_time = process.poll() is None
        held = [entry["duration"] for entry in busy.slowlog_get(10_000) if is_guarded(entry)]
        calls = busy.info("commandstats")["cmdstat_fcall"]
    figures: dict[str, Any] = {name: percentiles(taken) for name, taken in times.items()}
    ratio = figures["client"]["p99"] / figures["plain"]["p99"]
    figures |= {
        "ratio": ratio,
        "scripts": calls["calls"],
        "script_mean_us": calls["usec_per_call"],
        "scripts_over_1ms": len(held),
        "longest_over_1ms_us": max(held, default=0),
        "service_ran_throughout": in_time,
        "redis_preferred": alone,
    }
    figures["pass"] = ratio <= FLOOR and not held and in_time
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


def prefer(pid: int) -> bool:
    """Raise the priority of a server; return whether that was allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, -10)
    except PermissionError:
        return False
    return True


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
        f"{figures['script_mean_us']:.0f} us in the mean, {figures['scripts_over_1ms']} over 1 ms"
    )


if __name__ == "__main__":
    sys.exit(main())
