"""What is owed is sent once, whoever else claims, and however long the log does not answer."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from stream import courier as module
from stream.errors import FencedError, LogError, UnavailableError
from stream.log import Place
from tests.lives import Cut, Cutting, Life, World, embedded, kafka


def test_an_owner_that_was_fenced_sends_nothing_and_does_not_disturb(world: World) -> None:
    zombie = Life(world).resume()
    zombie.take(5)
    zombie.publish()
    owner = Life(world).resume()
    assert world.sent() == list(range(5))
    with pytest.raises(FencedError, match="claimed by another owner"):
        zombie.courier.deliver()
    owner.take(5)
    owner.save()
    assert owner.producer.begun == 1
    assert world.sent() == list(range(10))


def test_an_owner_fenced_by_a_late_start_goes_on(world: World) -> None:
    late = Life(world)
    owner = Life(world).resume()
    owner.take(5)
    owner.save()
    with pytest.raises(FencedError):
        late.resume()
    late.producer.begin([])  # as if it had looked for the newest claim before this one
    owner.take(5)
    owner.save()
    assert owner.producer.begun == 2
    assert world.sent() == list(range(10))


def test_a_start_that_is_claimed_while_it_begins_sends_nothing(world: World) -> None:
    life = Life(world).resume()
    life.take(5)
    with pytest.raises(Cut):
        life.save("unsent")
    late, owners = Life(world), list[Life]()
    begin = late.producer.begin

    def begin_late(places: Iterable[Place]) -> list[str]:
        owners.append(Life(world).resume())
        return begin(places)

    vars(late.producer)["begin"] = begin_late
    with pytest.raises(FencedError):
        late.resume()
    assert late.outbox.pack() is not None
    [owner] = owners
    owner.take(2)
    owner.save()
    assert world.sent() == list(range(7))


def test_what_took_place_though_the_answer_was_lost_is_not_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.001)
    life = Life(world).resume()
    send = life.producer._producer.send
    times = []

    def lose(*given: Any) -> None:
        times.append(1)
        send(*given)
        raise UnavailableError("the answer was lost")

    vars(life.producer)["send"] = lose
    life.take(5)
    life.save()
    assert len(times) == 1
    assert world.sent() == list(range(5))


class Unavailable(Cutting):
    """A producer whose log does not answer so often."""

    times = 0

    def send(self, *given: Any) -> None:
        if self.times:
            self.times -= 1
            raise UnavailableError("no answer")
        self._producer.send(*given)


def test_a_log_that_does_not_answer_is_waited_for_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.001)
    with contextlib.closing(embedded(tmp_path, "t")) as world:
        life = Life(world)
        life.courier._producer = away = Unavailable(life.producer._producer)
        life.resume()
        for count in (5, 10):
            life.take(5)
            away.times = 3
            with caplog.at_level(logging.WARNING):
                life.save()
            assert world.sent() == list(range(count))
            told = [record.getMessage() for record in caplog.records]
            assert told == [
                "the log takes no messages (no answer); waiting for it",
                "the log takes messages again",
            ]
            caplog.clear()


@pytest.mark.parametrize("deaf", [False, True])
def test_what_cannot_be_sent_before_a_stop_stays_owed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.001)
    monkeypatch.setattr(module, "GRACE", 0.2)
    stopped: list[bool] = []
    hearing = threading.Event()
    with contextlib.closing(embedded(tmp_path, "t")) as world:
        life = Life(world, lambda: bool(stopped)).resume()

        def away(*given: Any) -> None:
            stopped.append(True)
            if deaf:
                hearing.wait()
            raise UnavailableError("no answer")

        vars(life.producer)["send"] = away  # does not answer
        life.take(5)
        life.save()
        life.outbox.back()
        assert life.outbox.pack() is not None
        life.courier.deliver()
        assert len(stopped) == 1
        assert world.sent() == []
        hearing.set()
        Life(world).resume()
        assert world.sent() == list(range(5))


def test_what_the_log_refuses_ends_it_and_stays_owed(tmp_path: Path) -> None:
    with contextlib.closing(embedded(tmp_path, "t")) as world:
        life = Life(world).resume()

        def refuse(*given: Any) -> None:
            raise LogError("wanted to send, got no right to")

        vars(life.producer)["send"] = refuse
        life.take(5)
        with pytest.raises(LogError, match="no right"):
            life.save()
        Life(world).resume()
        assert world.sent() == list(range(5))


@pytest.mark.services
@pytest.mark.slow
def test_a_broker_that_stands_still_is_waited_for(
    kafka_servers: str, services: dict[str, Any], tmp_path: Path, topic_name: str
) -> None:
    with contextlib.closing(kafka(tmp_path, topic_name, kafka_servers)) as world:
        life = Life(world).resume()
        life.take(5)
        broker = services["kafka"]["pid"]
        os.kill(broker, signal.SIGSTOP)
        try:
            saving = threading.Thread(target=life.save)
            saving.start()
            time.sleep(1.5)
            assert saving.is_alive()
        finally:
            os.kill(broker, signal.SIGCONT)
        saving.join(60)
        assert not saving.is_alive()
        assert world.sent() == list(range(5))
