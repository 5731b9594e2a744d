"""The naive script that `benchmarks.loop` compares with."""

import json
import sys
import time

import redis
from kafka import KafkaConsumer
from river import linear_model, metrics, preprocessing

from benchmarks.loop import TOPIC

servers, url, _, count = sys.argv[1:]
consumer = KafkaConsumer(TOPIC, bootstrap_servers=servers, auto_offset_reset="earliest")
store = redis.Redis.from_url(url)
model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
accuracy = metrics.Accuracy()
taken, begun = 0, 0.0
for message in consumer:
    begun = begun or time.perf_counter()
    record = json.loads(message.value)
    key, label = record.pop("key"), record.pop("label")
    predicted = model.predict_one(record)
    store.set(f"naive:{key}", json.dumps(predicted))
    accuracy.update(label, predicted)
    model.learn_one(record, label)
    taken += 1
    if taken == int(count):
        break
seconds = time.perf_counter() - begun
print(json.dumps({"rate": taken / seconds, "accuracy": accuracy.get()}))
