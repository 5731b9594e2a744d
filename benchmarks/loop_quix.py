"""Quix Streams hosting river, which `benchmarks.loop` compares with; runs where Quix is installed.

The same model and the same records; what Alluvia writes of each is written, guarded so that only a
newer one replaces it. With "each" that is a call of a script for each record as it comes, so that a
prediction is readable at once; with "batch" a sink does it at each commit, every 10 s, in pipelines
of 1,000 calls, and predictions are up to 10 s late. The model lives in a variable of the process
and is saved nowhere, which favours Quix.
"""

import json
import sys
import time
from typing import Any

import redis
from quixstreams import Application, message_context
from quixstreams.sinks import BatchingSink, SinkBatch
from river import linear_model, metrics, preprocessing

NEWER = """
local held = redis.call('HGET', KEYS[1], 'sequence')
if held and tonumber(held) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'prediction', ARGV[1], 'probabilities', ARGV[2], 'lineage', 1,
  'sequence', ARGV[3], 'topic', ARGV[4], 'partition', ARGV[5], 'offset', ARGV[6], 'time', ARGV[7])
redis.call('PEXPIRE', KEYS[1], 2592000000)
return 1
"""

servers, url, _, count, topic_name, how = sys.argv[1:]
store = redis.Redis.from_url(url)
newer = store.script_load(NEWER)
model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
accuracy = metrics.Accuracy()
begun, ended = 0.0, 0.0


class Store(BatchingSink):  # type: ignore[misc]  # Quix is not there when types are checked
    """Predictions in Redis."""

    def write(self, batch: SinkBatch) -> None:
        """Write what came since the last commit."""
        global ended
        for chunk in batch.iter_chunks(1_000):
            pipeline = store.pipeline(transaction=False)
            for item in chunk:
                place = batch.topic, batch.partition, item.offset, item.timestamp
                pipeline.evalsha(newer, 1, *item.value, *place)
            pipeline.execute()
        ended = time.perf_counter()


sequence = 0


def learn(record: dict[str, Any]) -> tuple[str, str, str, int]:
    """Predict, score and learn a record."""
    global begun, sequence
    begun = begun or time.perf_counter()
    sequence += 1
    key, label = record.pop("key"), record.pop("label")
    probabilities = model.predict_proba_one(record)
    predicted = max(probabilities, key=probabilities.get)
    accuracy.update(label, predicted)
    model.learn_one(record, label)
    named = {str(name).lower(): share for name, share in probabilities.items()}
    return f"quix:prediction:{key}", json.dumps(predicted), json.dumps(named), sequence


def write(told: tuple[str, str, str, int], _key: bytes, when: int, _headers: Any) -> None:
    """Write a prediction at once."""
    global ended
    at = message_context()
    place = at.topic, at.partition, at.offset, when
    store.evalsha(newer, 1, *told, *place)
    ended = time.perf_counter()


app = Application(
    broker_address=servers,
    consumer_group=f"quix-{time.time_ns()}",
    auto_offset_reset="earliest",
    commit_interval=10.0,
    loglevel="ERROR",
)
stream = app.dataframe(app.topic(topic_name, value_deserializer="json"))
stream = stream.apply(learn)
if how == "batch":
    stream.sink(Store())
else:
    stream.update(write, metadata=True)
app.run(count=int(count))
print(json.dumps({"rate": sequence / (ended - begun), "accuracy": accuracy.get()}))
