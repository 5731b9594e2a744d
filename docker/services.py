"""A real Kafka broker and a real Redis on free loopback ports, without Docker.

    python docker/services.py up|down|status|hold|revive [--folder .services]
                              [--kafka FILE] [--redis FILE]

The broker's jars come from Maven Central (docker/pom.xml) and run on JDK 17 in KRaft mode. What
runs is written to `services.json` in the folder; several folders live side by side. `hold` keeps
them up while its input is open, so that who holds the other end takes them along when killed;
`revive` starts again what died, on its port and with what it kept.
The files hold further settings of the broker and of Redis: more listeners, TLS, users.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import string
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LIBS = HERE.parent / ".services" / "libs"
PACKAGES = {"redis-server": "redis-server", "java": "openjdk-17-jre-headless", "mvn": "maven"}
LOGS = {"kafka": "broker.log", "redis": "redis.log"}
JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
START_SECONDS = 60.0
STOP_SECONDS = 20.0
# Bytes of an ApiVersions request (key 18, version 0): any Kafka broker answers it, so that a port
# that merely accepts connections is not taken for a broker.
API_VERSIONS = b"\x00\x00\x00\x0c\x00\x12\x00\x00\x00\x00\x00\x01\x00\x02up"


class ServicesError(Exception):
    """The services cannot be started; one sentence that says why."""


def up(folder: Path, kafka: Path | None = None, redis: Path | None = None) -> dict[str, Any]:
    """Start both services if they do not run yet; return what `services.json` then holds.

    Parameters
    ----------
    folder
        Where they keep what they keep.
    kafka
        Further properties of the broker, over those of docker/server.properties; $port and
        $controller stand for its ports.
    redis
        A redis.conf. With either there are no containers: those have settings of their own.

    Raises
    ------
    ServicesError
        A program is missing and cannot be installed, or a service died or did not answer.
    """
    folder = folder.resolve()
    running = status(folder)
    if running is not None:
        return running
    down(folder)
    with _one_at_a_time():
        missing = _missing()
        if missing and not (kafka or redis) and _docker_works():
            return _compose_up(folder)
        if missing:
            _install(missing)
        _fetch_jars()
    folder.mkdir(parents=True, exist_ok=True)
    started = {"kafka": _start_broker(folder, kafka)}
    try:
        started["redis"] = _start_redis(folder, redis)
        for name, service in started.items():
            _await(name, service, folder)
    except BaseException:
        for service in started.values():
            _stop(service["pid"])
        raise
    return _write(folder, started)


def revive(folder: Path) -> dict[str, Any]:
    """Start again what died since `up`, on its port; return what `services.json` then holds.

    Raises
    ------
    ServicesError
        Nothing was started there as a process, or it died again or did not answer.
    """
    folder = folder.resolve()
    services = _read(folder)
    if services is None or "compose" in services:
        raise ServicesError(f"nothing in {folder} can be started again: run `up` without Docker")
    for name, service in services.items():
        if not _is_ours(service):
            service["pid"] = _spawn(service["command"], folder / LOGS[name])
    for name, service in services.items():
        _await(name, service, folder)
    return _write(folder, services)


def down(folder: Path) -> bool:
    """Stop what `up` started in the folder; return whether something ran there."""
    folder = folder.resolve()
    services = _read(folder)
    if services is None:
        return False
    if "compose" in services:
        subprocess.run([*_compose(folder), "down"], check=False, capture_output=True)
    else:
        for service in services.values():
            if _is_ours(service):
                _stop(service["pid"])
    (folder / "services.json").unlink()
    return True


def hold(folder: Path, kafka: Path | None = None, redis: Path | None = None) -> dict[str, Any]:
    """Start both services, say so, and stop them when the input ends; return what ran.

    Raises
    ------
    ServicesError
        As by `up`.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        services = up(folder, kafka, redis)
        _show(services)
        sys.stdin.read()
    finally:
        down(folder)
    return services


def status(folder: Path) -> dict[str, Any] | None:
    """Return what runs in the folder, None if not all of it answers."""
    services = _read(folder.resolve())
    if services is None:
        return None
    answers = _broker_answers(services["kafka"]) and _redis_answers(services["redis"])
    return services if answers else None


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait for others who install: neither apt nor Maven likes company."""
    LIBS.parent.mkdir(parents=True, exist_ok=True)
    with (LIBS.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _missing() -> list[str]:
    programs = [p for p in PACKAGES if shutil.which(p) is None]
    if "mvn" in programs and any(LIBS.glob("kafka_*.jar")):
        programs.remove("mvn")
    return programs


def _install(missing: Sequence[str]) -> None:
    packages = [PACKAGES[program] for program in missing]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise ServicesError(
            f"wanted {', '.join(missing)} on the path, found none: install "
            f"{', '.join(packages)}, or start a Docker engine"
        )
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-q", "update"], environment)
    _run(["apt-get", "-q", "install", "-y", "--no-install-recommends", *packages], environment)


def _fetch_jars() -> None:
    """Fetch the broker's jars once, whole or not at all."""
    if any(LIBS.glob("kafka_*.jar")):
        return
    fresh = LIBS.with_name(f"libs.{uuid.uuid4().hex}")
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
    _run(["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), *goal])
    try:
        fresh.rename(LIBS)
    except OSError:  # another instance was first
        shutil.rmtree(fresh)


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no output"]
        raise ServicesError(f"{' '.join(command[:2])} failed: {last[0]}")


def _free_ports(count: int) -> list[int]:
    """Return ports that were free at once, hence differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _start_broker(folder: Path, further: Path | None) -> dict[str, Any]:
    port, controller = _free_ports(2)
    data, properties = folder / "kafka", folder / "server.properties"
    files = [HERE / "server.properties", *([further] if further else [])]
    template = string.Template("\n".join(file.read_text("utf-8") for file in files))
    properties.write_text(template.substitute(port=port, controller=controller, data=data), "utf-8")
    java = ["java", *JVM, "-cp", f"{LIBS}/*"]
    if not (data / "meta.properties").exists():
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Joined by "=", since such a name may begin with a dash.
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
        _run([*java, *tool, "-c", str(properties)])
    command = [*java, "kafka.Kafka", str(properties)]
    pid = _spawn(command, folder / LOGS["kafka"])
    servers = f"127.0.0.1:{port}"
    return {"servers": servers, "port": port, "pid": pid, "program": "java", "command": command}


def _start_redis(folder: Path, settings: Path | None) -> dict[str, Any]:
    (port,) = _free_ports(1)
    first = [str(settings)] if settings else []
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    command = ["redis-server", *first, *options]
    pid = _spawn(command, folder / LOGS["redis"])
    url = f"redis://127.0.0.1:{port}/0"
    return {"url": url, "port": port, "pid": pid, "program": "redis-server", "command": command}


def _spawn(command: Sequence[str], log: Path) -> int:
    with log.open("wb") as out:
        # A session of its own, so that Ctrl-C in a test run does not take the services with it.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    # On a busy machine a program has begun before its name shows, by which it is told later.
    shown = Path(f"/proc/{process.pid}/cmdline")
    while shown.exists() and process.poll() is None and not shown.read_bytes():
        time.sleep(0.001)
    process.returncode = 0  # it outlives this program on purpose: no ResourceWarning
    return process.pid


def _await(name: str, service: dict[str, Any], folder: Path) -> None:
    answers = _broker_answers if name == "kafka" else _redis_answers
    deadline = time.monotonic() + START_SECONDS
    while not (_is_ours(service) and answers(service)):
        time.sleep(0.05)  # a process that has only just begun shows no name yet
        if not _is_ours(service) or time.monotonic() > deadline:
            lines = (folder / LOGS[name]).read_text("utf-8", "replace").strip().splitlines()
            lines = [line for line in lines if "Exception:" in line] or lines
            fate = "died" if not _is_ours(service) else f"did not answer in {START_SECONDS:.0f} s"
            raise ServicesError(
                f"{name} on port {service['port']} {fate}: {lines[-1] if lines else 'no log'}"
            )


def _ask(port: int, question: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(question)
            return connection.recv(64)
    except OSError:
        return b""


def _broker_answers(broker: dict[str, Any]) -> bool:
    return _ask(broker["port"], API_VERSIONS)[4:8] == b"\x00\x00\x00\x01"


def _redis_answers(redis: dict[str, Any]) -> bool:
    return _ask(redis["port"], b"PING\r\n").startswith(b"+PONG")


def _is_ours(service: dict[str, Any]) -> bool:
    """Return whether the pid still is the program that was started, not a later process."""
    pid = service["pid"]
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    if Path("/proc/self/cmdline").exists():
        command = Path(f"/proc/{pid}/cmdline")
        shown = command.read_text("utf-8", "replace") if command.exists() else ""
    else:  # no /proc here
        ps = ["ps", "-o", "args=", "-p", str(pid)]
        shown = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    return service["program"] in shown


def _stop(pid: int) -> None:
    """Send SIGTERM and wait until the process is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise ServicesError(f"process {pid} still runs {STOP_SECONDS:.0f} s after SIGTERM: end it")


def _docker_works() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], check=False, capture_output=True).returncode == 0


def _compose(folder: Path) -> list[str]:
    name = "alluvia-" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return ["docker", "compose", "-p", name, "-f", str(HERE / "compose.yaml")]


def _compose_up(folder: Path) -> dict[str, Any]:
    """Start the official images on the ports that compose.yaml publishes."""
    _run([*_compose(folder), "up", "-d", "--wait", "kafka", "redis"])
    kafka = {"servers": "127.0.0.1:9092", "port": 9092}
    redis = {"url": "redis://127.0.0.1:6379/0", "port": 6379}
    folder.mkdir(parents=True, exist_ok=True)
    return _write(folder, {"kafka": kafka, "redis": redis, "compose": True})


def _read(folder: Path) -> dict[str, Any] | None:
    file = folder / "services.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def _write(folder: Path, services: dict[str, Any]) -> dict[str, Any]:
    fresh = folder / "services.json.new"
    fresh.write_text(json.dumps(services, indent=2) + "\n", "utf-8")
    fresh.rename(folder / "services.json")
    return services


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    actions = {"up": up, "down": down, "status": status, "hold": hold, "revive": revive}
    parser.add_argument("action", choices=actions)
    parser.add_argument("--folder", type=Path, default=Path(".services"))
    parser.add_argument("--kafka", type=Path, help="further properties of the broker")
    parser.add_argument("--redis", type=Path, help="a redis.conf")
    arguments = parser.parse_args()
    settings = (arguments.kafka, arguments.redis) if arguments.action in ("up", "hold") else ()
    try:
        services = actions[arguments.action](arguments.folder, *settings)
    except ServicesError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.action == "down":
        print("stopped" if services else "nothing was running")
        return 0
    if not isinstance(services, dict):
        print("not running")
        return 1
    if arguments.action != "hold":
        _show(services)
    return 0


def _show(services: dict[str, Any]) -> None:
    print(f"kafka {services['kafka']['servers']}\nredis {services['redis']['url']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
