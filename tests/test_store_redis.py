"""What only Redis can do to a store: refuse, forget, die, move, and be read by others."""

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream.errors import StoreAwayError, StoreError
from stream.store import Entry
from stream.store_redis import RedisStore
from stream.writer import Writer
from tests.test_store import entry
from tests.waiting import until

pytestmark = pytest.mark.services

COMMANDS = (
    "+fcall +function|load +get +set +hmget +hset +hdel +pexpire +unlink +info +dbsize".split()
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A Redis of the test's own, which may be ruined."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client: Any = redis.Redis(
            port=self.port, decode_responses=True, retry=Retry(NoBackoff(), 0)
        )
        self._log = folder / "log"
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command = ["redis-server", *options, *where, "--logfile", str(self._log)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        until(self._answers)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            return bool(self.client.ping())
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            return False


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return a function of redis-server's options that starts one."""
    servers: list[Server] = []

    def serve(*options: str) -> Server:
        servers.append(Server(tmp_path / str(len(servers)), *options))
        return servers[-1]

    yield serve
    for server in servers:
        server.client.close()
        server.kill()


def check(store: RedisStore, keys: int = 100) -> None:
    """Run entries through a store."""
    entries = [entry(f"key-{i}", 1) for i in range(keys)]
    store.claim(1)
    assert store.put(entries) == keys
    assert store.put(entries) == 0
    assert store.get([e.key for e in entries]) == entries
    store.close()


def test_any_client_reads_a_prediction_with_hgetall(serve: Serve) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud")
    store.claim(4)
    store.put([entry("clé", 12, lineage=3), entry("bare", 12)._replace(probabilities="")])
    fields = {
        "prediction": '"UP"',
        "probabilities": '{"UP":0.75}',
        "version": "3@12",
        "lineage": "3",
        "sequence": "12",
        "topic": "trades",
        "partition": "3",
        "offset": "7000",
        "time": "1700",
    }
    assert server.client.hgetall("alluvia:{fraud}:prediction:clé") == fields
    assert "probabilities" not in server.client.hgetall("alluvia:{fraud}:prediction:bare")
    assert server.client.get("alluvia:{fraud}:owner") == "4"
    assert server.client.ttl("alluvia:{fraud}:prediction:clé") == -1
    store.close()


def test_the_function_is_loaded_again_when_it_is_lost(serve: Serve) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud", 60_000)
    store.claim(1)
    server.client.function_flush()
    assert store.put([entry("a", 1)]) == 1
    server.client.flushall()
    server.client.function_flush()
    assert store.put([entry("a", 1)]) == 1
    store.close()


def test_no_guarded_call_carries_more_keys_than_its_share(serve: Serve) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud")
    store.claim(1)
    server.client.config_resetstat()
    store.put([entry(f"key-{i}", 1) for i in range(1_000)])
    assert server.client.info("commandstats")["cmdstat_fcall"]["calls"] >= 20
    store.close()


def test_an_unreachable_server_is_named_without_the_password() -> None:
    place = f"127.0.0.1:{free_port()}"
    store = RedisStore(f"redis://me:hush@{place}/0?socket_timeout=1", "fraud")
    with pytest.raises(StoreError, match=f"wanted Redis at redis://{place}/0, .*: start") as caught:
        store.claim(1)
    assert "hush" not in str(caught.value)
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hu/sh@127.0.0.1:6379",
        "redis://:hu?sh@127.0.0.1:6379",
        "redis://:hu#sh@127.0.0.1:6379",
        "redis://:hush@127.0.0.1:port",
        "http://:hush@127.0.0.1:6379",
        "redis+sentinel://:hush@127.0.0.1:26379",
        "redis+cluster://:hush@",
        "redis://:hush@a..b:6379",
        "redis+sentinel://:hush@a..b:26379/main",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_the_password(url: str) -> None:
    with pytest.raises(StoreError, match="wanted a Redis URL") as caught:
        RedisStore(url, "fraud")
    assert "hu" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["", "a{b", "a}b"])
def test_a_name_that_would_break_the_hash_tag_is_refused(name: str) -> None:
    with pytest.raises(StoreError, match="rename the service"):
        RedisStore("redis://127.0.0.1", name)


def test_an_option_that_the_client_does_not_know_is_refused() -> None:
    with pytest.raises(StoreError, match=r"socket_timeuot.*correct the store's options"):
        RedisStore("redis://127.0.0.1", "fraud", options={"socket_timeuot": 1})


def test_a_full_server_refuses_with_the_remedy(serve: Serve) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud")
    store.claim(1)
    server.client.config_set("maxmemory-policy", "noeviction")
    server.client.config_set("maxmemory", "1mb")
    with pytest.raises(StoreAwayError, match="raise Redis' maxmemory"):
        store.put([entry("a", 1)])
    with pytest.raises(StoreError, match="raise Redis' maxmemory") as first:
        RedisStore(server.url, "fraud").claim(1)
    assert not isinstance(first.value, StoreAwayError)
    server.client.config_set("maxmemory", "0")
    assert store.put([entry("a", 1)]) == 1
    store.close()


def test_a_replica_refuses_with_the_remedy(serve: Serve) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud")
    store.claim(1)
    server.client.replicaof("127.0.0.1", "1")
    with pytest.raises(StoreError, match="name the primary"):
        store.put([entry("a", 1)])
    store.close()


def test_a_wrong_password_is_not_waited_for(serve: Serve) -> None:
    server = serve("--requirepass", "right")
    store = RedisStore(server.url, "fraud", options={"password": "hush"})
    with pytest.raises(StoreError, match="check the user and password") as caught:
        store.claim(1)
    assert "hush" not in str(caught.value)
    store.close()


def test_a_server_that_is_killed_in_mid_put_is_waited_for(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve("--appendonly", "yes", "--appendfsync", "always")
    store = RedisStore(server.url, "fraud")
    before = [entry(f"before-{i}", 1) for i in range(100)]
    during = [entry(f"during-{i}", 1) for i in range(1_000)]
    store.claim(1)
    with closing(store), closing(Writer(store, lambda: False)) as writer:
        writer.put(before)
        writer.drain()
        server.client.client_pause(60_000, all=False)
        writer.put(during)
        until(lambda: server.client.info("clients")["blocked_clients"] == 1)
        server.kill()
        until(lambda: "waiting for it" in caplog.text)
        server.start()
        writer.drain()
        everything = before + during
        assert store.get([e.key for e in everything]) == everything
    told = [record.getMessage() for record in caplog.records]
    assert [line.partition(" (")[0] for line in told[:1]] == ["the store takes no writes"]
    assert sorted(told[1:])[1:] == ["the store takes writes again"]
    assert "was started again" in sorted(told[1:])[0]


def test_another_server_in_its_place_is_noticed_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud")
    for epoch in (1, 2):
        store.claim(epoch)
        store.put([entry("a", epoch)])
    assert (store.restarts, caplog.text) == (0, "")
    for restarts in (1, 2):
        server.kill()
        server.start()
        until(lambda: put(store, entry("b", 1)))
        assert store.put([entry("b", 2)]) == 1
        assert store.restarts == restarts
        assert caplog.text.count("was started again, or a replica took over") == restarts
        assert store.get(["a"]) == [None]
    store.close()


def put(store: RedisStore, one: Entry) -> bool:
    """Put an entry; return whether that was possible."""
    try:
        return store.put([one]) == 1
    except StoreAwayError:
        return False


def test_a_lost_server_is_told_from_one_that_was_never_there(serve: Serve) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud")
    store.claim(1)
    server.kill()
    with pytest.raises(StoreAwayError, match="got no answer"):
        store.put([entry("a", 1)])
    with pytest.raises(StoreAwayError, match="got no answer"):
        store.claim(2)
    with closing(RedisStore(server.url, "fraud")) as other:
        with pytest.raises(StoreError, match="got no answer") as caught:
            other.claim(1)
        assert not isinstance(caught.value, StoreAwayError)
    store.close()


def test_a_server_that_cannot_save_is_one_to_wait_for(serve: Serve) -> None:
    server = serve()
    store = RedisStore(server.url, "fraud")
    store.claim(1)
    server.client.config_set("min-replicas-to-write", 1)
    with pytest.raises(StoreAwayError, match="NOREPLICAS"):
        store.put([entry("a", 1)])
    server.client.config_set("min-replicas-to-write", 0)
    assert store.put([entry("a", 1)]) == 1
    store.close()


def test_the_documented_user_may_do_all_that_a_store_does(serve: Serve) -> None:
    page = Path(__file__).parent.parent / "docs" / "redis.md"
    assert " ".join(COMMANDS) in page.read_text("utf-8")
    server = serve()
    server.client.execute_command(
        "ACL", "SETUSER", "alluvia", "on", ">hush", "~alluvia:{fraud}:*", "-@all", *COMMANDS
    )
    url = server.url.replace("//", "//alluvia:hush@")
    check(RedisStore(url, "fraud", 60_000))
    stranger = RedisStore(url, "other")
    with pytest.raises(StoreError, match="give the ACL user"):
        stranger.claim(1)
    stranger.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_documented_user_has_nothing_to_spare(serve: Serve, command: str) -> None:
    server = serve()
    left = [other for other in COMMANDS if other != command]
    server.client.execute_command(
        "ACL", "SETUSER", "alluvia", "on", ">hush", "~alluvia:{fraud}:*", "-@all", *left
    )
    store = RedisStore(server.url.replace("//", "//alluvia:hush@"), "fraud", 60_000)
    with pytest.raises(StoreError, match="give the ACL user"):
        store.claim(1)
        store.put([entry("a", 1)])
        store.put([entry("a", 2)._replace(probabilities="")])
        store.put([entry("a", 3, "")])
        store.get(["a"])
    store.close()


def test_a_cluster_holds_a_service_on_one_node(serve: Serve) -> None:
    server = serve("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    server.client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    until(lambda: "cluster_state:ok" in server.client.execute_command("CLUSTER", "INFO"))
    check(RedisStore(server.url.replace("redis:", "redis+cluster:"), "fraud"))


def test_a_sentinel_that_does_not_answer_is_told_without_a_client_in_it() -> None:
    store = RedisStore(f"redis+sentinel://127.0.0.1:{free_port()}/main/0", "fraud")
    with pytest.raises(StoreError, match="no Sentinel names a primary of 'main', and not") as e:
        store.get(["a"])
    assert "<" not in str(e.value)
    with pytest.raises(StoreError, match="no Sentinel names a primary of 'main'"):
        store.claim(1)
    store.close()


def test_sentinel_names_the_primary(serve: Serve, tmp_path: Path) -> None:
    primary = serve()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"sentinel monitor main 127.0.0.1 {primary.port} 1\n")
    sentinel = serve(str(config), "--sentinel")
    check(RedisStore(f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0", "fraud"))
