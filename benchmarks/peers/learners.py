"""The loops of CapyMOA, river and scikit-learn, as their users write them: test, then train.

    PEERS_PYTHON -m benchmarks.peers.learners

Reads one JSON object a line, see `Asked`, and answers each with one: the records a second and the
accuracy. What Java compiles is warm before it is timed: another estimator of the same kind has had
the first records.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

WARM = 5_000
DICTS = 1_000


class Asked(TypedDict, total=False):
    """A request.

    Attributes
    ----------
    learner
        Import path of an estimator, or of the steps of a pipeline.
    params
        Parameters of the last step.
    data
        File of `names`, `x` and `y`.
    inside
        Whether CapyMOA is to loop in Java over a file in ARFF: no record reaches Python.
    """

    learner: str | list[str]
    params: dict[str, Any]
    data: str
    inside: bool


def main() -> None:
    """Answer until the input ends."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warm: set[tuple[Any, str]] = set()
    for line in sys.stdin:
        asked: Asked = json.loads(line)
        answers.write(json.dumps(_figures(asked, warm)) + "\n")
        answers.flush()


def _figures(asked: Asked, warm: set[tuple[Any, str]]) -> dict[str, float]:
    paths = asked["learner"] if isinstance(asked["learner"], list) else [asked["learner"]]
    data = np.load(asked["data"])
    names, x, y = data["names"].tolist(), data["x"], data["y"]
    loop = {"capymoa": _capymoa, "river": _river, "sklearn": _sklearn}[paths[0].split(".")[0]]
    if asked.get("inside"):
        loop = _inside
    if paths[0].startswith("capymoa") and (loop, paths[0]) not in warm:
        loop(paths, asked.get("params", {}), names, x[:WARM], y[:WARM])
        warm.add((loop, paths[0]))
    seconds, right = loop(paths, asked.get("params", {}), names, x, y)
    return {"rate": len(y) / seconds, "accuracy": right / len(y)}


def _capymoa(
    paths: list[str], params: dict[str, Any], names: list[str], x: Any, y: Any
) -> tuple[float, float]:
    from capymoa.stream import NumpyStream

    stream = NumpyStream(x, y)
    learner = _find(paths[0])(stream.get_schema(), **params)
    right = 0
    begun = time.perf_counter()
    while stream.has_more_instances():
        instance = stream.next_instance()
        right += learner.predict(instance) == instance.y_index
        learner.train(instance)
    return time.perf_counter() - begun, right


def _inside(
    paths: list[str], params: dict[str, Any], names: list[str], x: Any, y: Any
) -> tuple[float, float]:
    from capymoa.evaluation import prequential_evaluation
    from capymoa.stream import ARFFStream

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream.arff"
        _write_arff(path, names, x, y)
        stream = ARFFStream(str(path))
        learner = _find(paths[0])(stream.get_schema(), **params)
        begun = time.perf_counter()
        found = prequential_evaluation(stream, learner, optimise=True)
        seconds = time.perf_counter() - begun
    return seconds, found["cumulative"].accuracy() / 100.0 * len(y)


def _write_arff(path: Path, names: list[str], x: Any, y: Any) -> None:
    classes = ",".join(str(code) for code in np.unique(y))
    head = ["@relation stream", *(f"@attribute {name} numeric" for name in names)]
    rows = np.column_stack([x, y])
    np.savetxt(
        path,
        rows,
        fmt=["%.17g"] * x.shape[1] + ["%d"],
        delimiter=",",
        header="\n".join([*head, f"@attribute class {{{classes}}}", "@data"]),
        comments="",
    )


def _river(
    paths: list[str], params: dict[str, Any], names: list[str], x: Any, y: Any
) -> tuple[float, float]:
    *before, last = [_find(path) for path in paths]
    model = last(**params)
    for step in reversed(before):
        model = step() | model
    seconds, right = 0.0, 0
    for rows, labels in _dicts(names, x, y):
        begun = time.perf_counter()
        for row, label in zip(rows, labels, strict=True):
            right += model.predict_one(row) == label
            model.learn_one(row, label)
        seconds += time.perf_counter() - begun
    return seconds, right


def _sklearn(
    paths: list[str], params: dict[str, Any], names: list[str], x: Any, y: Any
) -> tuple[float, float]:
    scaler, model = _find(paths[0])(), _find(paths[1])(**params)
    classes, right = np.unique(y), 0
    begun = time.perf_counter()
    for i in range(len(y)):
        row, label = x[i : i + 1], y[i : i + 1]
        if i:
            right += model.predict(scaler.transform(row))[0] == label[0]
        scaler.partial_fit(row)
        model.partial_fit(scaler.transform(row), label, classes=classes)
    return time.perf_counter() - begun, int(right)


def _dicts(names: list[str], x: Any, y: Any) -> Iterator[tuple[list[dict[str, float]], list[int]]]:
    """Yield records as river takes them; making them is not part of its loop."""
    for at in range(0, len(y), DICTS):
        rows = [dict(zip(names, row, strict=True)) for row in x[at : at + DICTS].tolist()]
        yield rows, y[at : at + DICTS].tolist()


def _find(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main()
