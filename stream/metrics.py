"""The metrics: what is known of a run, as Prometheus has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from stream.report import Progress

COUNTS = {
    "records": ("records", "Records taken."),
    "predicted": ("predictions", "Records that a prediction was asked for."),
    "learned": ("learned", "Records that were learned."),
    "set_aside": ("dead_letters", "Records set aside."),
    "skipped": ("skipped", "Records set aside because they made the learner raise."),
    "removed": ("removed", "Records without a value: the prediction of their key goes away."),
    "unkeyed": ("unkeyed", "Predictions of records without a key, which nobody can look up."),
}
LABELS = {
    "labels": ("labels", "Labels that came in a record of their own."),
    "matched": ("matches", "Features that met their label."),
    "early": ("early_labels", "Labels that came before their features."),
    "unmatched": ("unmatched_labels", "Labels that never met their features."),
    "repeated_labels": ("repeated_labels", "Labels under an id that had one."),
    "repeated_ids": ("repeated_ids", "Features under an id that had some."),
    "expired": ("expired", "Features whose time to wait for a label was over."),
    "evicted": ("evicted", "Features that gave way to newer ones before a label came."),
    "defaulted": ("defaulted", "Features learned with the default label."),
    "ahead": ("ahead", "Records too far ahead of event time to move it."),
}
SPANS = ("overall", "recent")


def families(progress: Progress, since: float) -> Iterator[Metric]:
    """Yield the metrics of a run; what is not known is left out.

    Parameters
    ----------
    progress
        How it went when it was last looked at.
    since
        Seconds since then, in which a checkpoint and what is behind grew older.
    """
    model = progress.model
    yield from _counters(COUNTS, model["counts"])
    if "labels" in model:
        yield from _labels(model["labels"])
    if progress.lag is not None:
        yield _gauge("lag_records", "Records between the last one taken and the end.", progress.lag)
    if progress.behind is not None:
        behind = progress.behind + (since if progress.behind else 0.0)
        text = "Now less the log's time of the last record taken; 0 where none is to come."
        yield _gauge("behind_seconds", text, behind)
    age = progress.checkpoint_age + since
    yield _gauge("checkpoint_age_seconds", "Seconds since the last checkpoint.", age)
    stall = "Seconds for which the last checkpoint held the stream up."
    yield _gauge("checkpoint_stall_seconds", stall, progress.stall)
    text = "Times the store was found to be another server, which may have forgotten predictions."
    yield CounterMetricFamily("alluvia_store_restarts", text, progress.restarts)
    yield _gauge("members", "Members of the ensemble.", len(model["members"]))
    yield _gauge("lineage", "The lineage of the model.", model["lineage"])
    yield from _scores(model["scores"])


def labelled(shards: Mapping[int | None, tuple[Progress, float]]) -> Iterable[Metric]:
    """Return the metrics of several shards as one's, each sample labelled with its partition.

    Parameters
    ----------
    shards
        By partition, what `families` wants to know of each.
    """
    found: dict[str, Metric] = {}
    for partition, (progress, since) in sorted(shards.items()):
        for family in families(progress, since):
            named = Metric(family.name, family.documentation, family.type)
            samples = found.setdefault(family.name, named).samples
            own = {"partition": str(partition)}
            samples += [one._replace(labels=own | one.labels) for one in family.samples]
    return found.values()


def _counters(known: dict[str, tuple[str, str]], counts: dict[str, int]) -> Iterator[Metric]:
    for key, (name, text) in known.items():
        yield CounterMetricFamily(f"alluvia_{name}", text, counts[key])


def _labels(labels: dict[str, Any]) -> Iterator[Metric]:
    yield from _counters(LABELS, labels)
    yield _gauge("waiting", "Features and labels that wait for each other.", labels["waiting"])
    if labels["lag"] is not None:
        text = "Seconds from features to their label, the mean of the latest."
        yield _gauge("label_lag_seconds", text, labels["lag"]["recent"] / 1000)


def _scores(scores: dict[str, Any]) -> Iterator[Metric]:
    yield CounterMetricFamily("alluvia_scored", "Predictions scored.", scores["count"])
    labels = ["metric", "span", "predictor"]
    score = GaugeMetricFamily(
        "alluvia_score",
        "A score of the model or of a guess without skill, overall or over the recent window.",
        labels=labels,
    )
    for span in SPANS:
        predictors = {"model": scores[span], **scores[f"{span}_baselines"]}
        for predictor, figures in predictors.items():
            for metric, figure in figures.items():
                if figure is not None:
                    score.add_metric([metric, span, predictor], figure)
    yield score


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"alluvia_{name}", text, value)
