"""Each message that is owed is sent once, wherever a service ends between its steps."""

from __future__ import annotations

import contextlib
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.base import Classes, Task
from stream.block import Block
from stream.errors import CheckpointError
from stream.log import Run
from stream.outbox import Outbox
from stream.receipt import Receipt
from tests.lives import NO_ANSWERS, STEPS, Cut, Life, World, embedded


def test_what_is_owed_is_sent_with_each_checkpoint_and_its_receipt(world: World) -> None:
    life = Life(world).resume()
    for _ in range(3):
        life.take(5)
        life.save()
        number = life.checkpoints.number
        assert world.sent() == list(range(life.sequence))
        assert life.outbox.pack() is None and life.outbox.size == 0
    assert world.receipt() == f"1:{number}:15"
    assert len(list(world.folder.glob("sent-*"))) == 2


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_ends_at_a_step_leaves_the_rest_to_the_next(world: World, step: str) -> None:
    life = Life(world).resume()
    life.take(5)
    life.save()
    life.take(7)
    with pytest.raises(Cut):
        life.save(step)
    assert world.sent() == list(range(12 if step in ("sent", "unsettled") else 5))
    heir = Life(world).resume()
    assert heir.sequence == 12
    assert world.sent() == list(range(12))
    heir.take(3)
    heir.save()
    assert world.sent() == list(range(15))


def test_a_process_that_ends_while_it_resumes_leaves_the_rest_to_the_next(world: World) -> None:
    life = Life(world).resume()
    life.take(6)
    with pytest.raises(Cut):
        life.save("unsent")
    for step in ("sending", "positions", "sent", "unsettled"):
        heir = Life(world)
        heir.cut_at(step)
        with pytest.raises(Cut):
            heir.resume()
    Life(world).resume()
    assert world.sent() == list(range(6))


def test_what_a_file_had_to_tell_is_sent_once_before_the_topic_is_begun(world: World) -> None:
    life = Life(world).resume()
    life.reads = "warm-up"
    life.take(5)
    with pytest.raises(Cut):
        life.save("sent")
    heir = Life(world).resume()
    heir.take(2)
    heir.save()
    assert world.sent() == list(range(7))


def test_what_was_sent_is_known_without_the_groups_positions(world: World) -> None:
    """As after a week in which the group had no member: Kafka forgets its positions."""
    life = Life(world).resume()
    life.take(5)
    life.save()
    forgetful = Life(world)
    vars(forgetful.producer)["begin"] = lambda places: []
    forgetful.courier.resume()
    assert forgetful.outbox.pack() is None


def test_a_checkpoint_before_the_last_sends_only_what_is_new(world: World) -> None:
    life = Life(world).resume()
    for records in (5, 6, 7):
        life.take(records)
        life.save()
    newest = sorted(world.folder.glob("manifest-*"))[-1]
    newest.write_bytes(newest.read_bytes()[:-9])
    heir = Life(world).resume()
    assert heir.sequence == 11
    heir.take(3)
    heir.save()
    assert world.sent() == list(range(18))
    assert world.receipt().endswith(":18")  # never of less than what was sent
    # Neither does one that ends before it has caught up.
    late = Life(world).resume()
    assert late.sequence == 14
    late.take(10)
    with pytest.raises(Cut):
        late.save("sending")
    Life(world).resume()
    assert world.sent() == list(range(24))


def test_another_lineage_from_a_checkpoint_before_the_last_sends_all(world: World) -> None:
    life = Life(world).resume()
    for _ in range(2):
        life.take(5)
        life.save()
    newest = sorted(world.folder.glob("manifest-*"))[-1]
    newest.write_bytes(b"torn")
    heir = Life(world).resume()
    assert heir.sequence == 5
    heir.lineage = 2
    heir.take(4)
    heir.save()
    assert world.sent() == [5, 6, 7, 8]


def test_another_lineage_sends_all(world: World) -> None:
    life = Life(world).resume()
    life.take(5)
    life.save()
    life.lineage, life.sequence = 2, 0
    life.take(3)
    life.save()
    assert world.sent() == [0, 1, 2]
    assert world.receipt().startswith("2:")


def test_checkpoints_of_an_earlier_lineage_than_the_logs_are_refused(world: World) -> None:
    life = Life(world).resume()
    life.producer.send([], {(world.topic, 0): 5}, str(Receipt(2, 5, 9)))
    with pytest.raises(CheckpointError, match=r"lineage 2.*got lineage 1"):
        Life(world).resume()


def test_messages_are_in_the_order_of_the_records_wherever_blocks_are_cut() -> None:
    """A block tells first of what could not be decoded, then of what the learner refused."""
    packed = set()
    for cuts in ([10], [3, 10], [1, 4, 5, 10]):
        outbox = Outbox("name", "dead", None)
        for start, end in itertools.pairwise([0, *cuts]):
            offsets = list(range(start, end))
            run = Run("t", 0, offsets, offsets, [b"k"] * len(offsets), [b"v"] * len(offsets))
            block = Block.of(run, start, Classes())
            for refused in (False, True):
                for place in (at - start for at in offsets if (at % 3 == 0) == refused):
                    block.set_aside(place, "why")
            outbox.add(block, NO_ANSWERS, Task.CLASSIFICATION, 1)
        packed.add(outbox.pack())
        assert [message.time for _, message in outbox.messages()] == list(range(10))
    assert len(packed) == 1


@pytest.mark.slow
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_number_of_ends_at_any_steps_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    draw = random.Random(seed)
    with contextlib.closing(embedded(tmp_path_factory.mktemp("world"), "t")) as world:
        furthest = 0
        for _ in range(draw.randrange(1, 8)):
            if draw.random() < 0.25 and len(list(world.folder.glob("manifest-*"))) > 1:
                newest = sorted(world.folder.glob("manifest-*"))[-1]
                newest.write_bytes(b"torn")
            life = Life(world)
            with contextlib.suppress(Cut):
                life.producer.step = draw.choice((None, None, *STEPS[:-1]))
                life.resume()
                for _ in range(draw.randrange(4)):
                    life.take(draw.randrange(1, 6))
                    life.save(draw.choice((None, None, *STEPS)))
            furthest = max(furthest, life.sequence)
        last = Life(world).resume()
        last.take(furthest - last.sequence)
        last.save()
        assert world.sent() == list(range(furthest))
