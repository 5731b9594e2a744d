"""The courier: sends what checkpoints owe, each message once, whatever ends in between.

A checkpoint is published with its outbox. Then outbox and positions go to the log in one
transaction, with a receipt. Who starts after a crash reads the receipt and sends the rest.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from stream.checkpoint import Checkpoints
from stream.config import Config
from stream.errors import CheckpointError, FencedError, ProducerFencedError, UnavailableError
from stream.log import Log, Place
from stream.log_kinds import open_producer
from stream.manifest import Manifest
from stream.outbox import Outbox
from stream.producer import Producer
from stream.receipt import Receipt

SLICE = 0.1
PAUSE = 0.5
QUIET = 3.0
GRACE = 5.0

logger = logging.getLogger(__name__)


class Courier:
    """Sends an outbox with the positions of its checkpoint.

    Parameters
    ----------
    outbox
        What is owed.
    producer
        Sends it.
    checkpoints
        Those of the model, which is claimed.
    topics
        The topics that the group reads; the first one is the service's.
    stop
        Once it says so, a log that does not answer is waited for 5 seconds, no longer.
    partition
        The one of the first topic that has the receipt while none is taken from: a shard's own.
    """

    def __init__(
        self,
        outbox: Outbox,
        producer: Producer,
        checkpoints: Checkpoints,
        topics: Sequence[str],
        stop: Callable[[], bool],
        partition: int = 0,
    ) -> None:
        self.outbox = outbox
        self._producer = producer
        self._checkpoints = checkpoints
        self._topics = topics
        self._stop = stop
        self._home = (topics[0], partition)
        self._begun = self._told = self._left = False
        self._receipt = Receipt(0, 0, 0)

    def resume(self) -> None:
        """Become the only one who sends, and send what the newest checkpoint still owes.

        Raises
        ------
        FencedError
            Another owner has claimed the model.
        CheckpointError
            The log has messages of a later life of the model.
        LogError
            The log refuses to take messages.
        """
        saved = self._checkpoints.held
        number, packed = self._checkpoints.outbox(saved)
        self.outbox.restore(packed)
        if not self._persist(self._begin):
            return
        receipt = self._receipt
        if receipt.lineage > saved.lineage:
            raise CheckpointError(
                f"wanted the checkpoints of lineage {receipt.lineage}, of which the log has "
                f"messages, got lineage {saved.lineage}: bring the folder back as it was, or set "
                "another [log] group to send all that comes from here on"
            )
        if receipt.lineage == saved.lineage and receipt.sequence > saved.sequence:
            self.outbox.sent = receipt[:2]
        if receipt >= (saved.lineage, saved.sequence, number):
            self._settle()
        elif packed is not None:
            self.deliver()

    def deliver(self) -> None:
        """Send all that the newest checkpoint owes; after a stop it may stay owed.

        Raises
        ------
        FencedError
            Another owner has claimed the model.
        LogError
            The log refuses to take the messages.
        """
        self.outbox.keep()
        if self._persist(self._send):
            self._settle()

    def close(self) -> None:
        """Let go of the log, whatever is under way."""
        self._producer.close()

    def _begin(self) -> None:
        self._refuse_claimed()
        texts = self._producer.begin(self._positions(self._checkpoints.held))
        # Once more: an owner who claimed meanwhile may have begun before this one.
        self._refuse_claimed()
        self._receipt = max(map(Receipt.parsed, texts), default=Receipt(0, 0, 0))
        self._begun = True

    def _refuse_claimed(self) -> None:
        if not self._checkpoints.owned():
            raise FencedError(
                f"the model {self._checkpoints.held.name!r} was claimed by another owner: this "
                "instance stops; run one instance for a model"
            )

    def _send(self) -> None:
        if not self._begun:
            self._begin()
        saved = self._checkpoints.held
        wanted = Receipt(saved.lineage, saved.sequence, saved.number)
        if self._receipt < wanted:
            self._producer.send(self.outbox.messages(), self._positions(saved), str(wanted))
            self._receipt = wanted

    def _settle(self) -> None:
        self.outbox.clear()
        self._checkpoints.settle()

    def _positions(self, saved: Manifest) -> dict[Place, int]:
        # While a file is learned first, no topic has a position: the receipt needs one.
        positions = {p.place: p.offset for p in saved.positions if p.topic in self._topics}
        return positions or {self._home: 0}

    def _persist(self, action: Callable[[], None]) -> bool:
        """Carry out an action for as long as the log does not answer; False after a stop."""
        left = GRACE
        while not self._left:
            future = _started(action)
            waited = 0.0
            while not wait([future], SLICE).done:
                waited += SLICE
                left -= SLICE * self._stop()
                if left <= 0:
                    self._left = True
                    return False
                if waited > QUIET:
                    self._tell("no answer yet")
                    waited = 0.0
                    # Kafka's client leaves the socket of each refused attempt to the collector,
                    # which is switched off while the loop runs.
                    gc.collect()
            try:
                future.result()
                if self._told:
                    logger.warning("the log takes messages again")
                    self._told = False
                return True
            except ProducerFencedError:
                self._begun = False
            except UnavailableError as error:
                self._begun = False
                self._tell(error)
                self._left = self._stop()
                time.sleep(PAUSE)
        return False

    def _tell(self, why: object) -> None:
        if not self._told:
            logger.warning("the log takes no messages (%s); waiting for it", why)
            self._told = True


def _started(action: Callable[[], None]) -> Future[None]:
    """Carry out an action in a thread: Kafka's client may wait for ever, whatever is to stop."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            action()
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="courier", daemon=True).start()
    return future


def open_courier(
    config: Config, checkpoints: Checkpoints, logs: Sequence[Log], stop: Callable[[], bool]
) -> Courier | None:
    """Return who sends what is owed to topics, which are made if they are missing.

    None where nothing is sent to topics, and nothing is left of a time when it was.
    """
    dead, predictions = config.dead.topic, config.predictions.topic
    _, owed = checkpoints.outbox(checkpoints.held)
    if dead is None and predictions is None and owed is None:
        return None
    producer = open_producer(config)
    if dead is not None:
        producer.create(dead, 1)
    if predictions is not None and config.partition is None:
        producer.create(predictions, len(logs[0].bounds()))
    outbox = Outbox(config.owner, dead, predictions)
    topics = [log.topic for log in logs]
    return Courier(outbox, producer, checkpoints, topics, stop, config.partition or 0)
