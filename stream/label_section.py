"""The table of labels that come later than their features."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from learners.base import Label, Task
from stream.labels import LARGEST
from stream.refusal import shown
from stream.sections import RecordConfig, Section
from stream.values import INT64, Count, FieldPath, Leap, Milliseconds, Name, Quiet


def _label(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError(f"wanted a label, got {shown(value)}: write a string, a number or a bool")
    return value


class LabelConfig(Section):
    """Where late labels are, and how long what waits is kept.

    Without `topic` a label is a record without features in the topic of the records. With it,
    labels have that topic to themselves; `id`, `label` and `time` are paths in their records, as
    in [record] if left out, and with `keyed_by_id` the id is the message's own key.

    Features wait for their label and labels for their features, each for `within` ms of event
    time; when more than `keep` wait, the oldest waits no longer. Features that no label came for
    are learned with the label `default`, if there is one.

    A record more than `leap` ms ahead of event time does not move it, see `Watermark`. Where no
    record came for `idle` ms, event time goes on by as much, see `Idle`.
    """

    topic: Name | None = None
    id: FieldPath | None = None
    keyed_by_id: bool = False
    label: FieldPath | None = None
    time: FieldPath | None = None
    within: Milliseconds = Field(default="30d", validate_default=True)
    keep: Count = 1_000_000
    leap: Leap = Field(default="1d", validate_default=True)
    idle: Quiet = Field(default="none", validate_default=True)
    default: Annotated[Label, BeforeValidator(_label)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        apart = {"id": self.id, "keyed_by_id": self.keyed_by_id or None}
        apart |= {"label": self.label, "time": self.time}
        given = [name for name, value in apart.items() if value is not None]
        if self.topic is None and given:
            raise ValueError(
                f"wanted {given[0]} with a topic of labels only, got no topic: in the topic of "
                "the records they are where [record] says; remove it or name the topic"
            )
        if self.keyed_by_id and self.id is not None:
            raise ValueError("wanted id or keyed_by_id, got both: remove one of them")
        return self

    def check_beside(self, record: RecordConfig, task: Task, topic: str) -> None:
        """Refuse what contradicts the rest of the configuration.

        Raises
        ------
        ValueError
            With the remedy.
        """
        if record.id is None:
            raise ValueError(
                "wanted [record] id beside [label], got none: name the field by which a label "
                "finds its features"
            )
        if self.topic == topic:
            raise ValueError(
                f"wanted another topic in [label] than in [log], got {topic!r} in both: leave "
                "[label] topic out if labels come among the records"
            )
        if self.label is None and record.label is None:
            raise ValueError(
                "wanted [label] label or [record] label, got neither: name the field that holds "
                "the label"
            )
        names = [path for path in self._paths(record).values() if path is not None]
        double = [path for path in names if names.count(path) > 1]
        if self.topic and double:
            raise ValueError(
                f'wanted id, label and time of [label] in fields of their own, got "{double[0]}" '
                "twice: name another field for one of them"
            )
        if self.default is not None:
            _check_default(self.default, record, task)

    def paths(self, record: RecordConfig) -> RecordConfig:
        """Return where the parts of a record in the labels' own topic are."""
        return RecordConfig.model_validate(self._paths(record))

    def _paths(self, record: RecordConfig) -> dict[str, str | None]:
        return {
            "id": None if self.keyed_by_id else self.id or record.id,
            "label": self.label or record.label,
            "time": self.time or record.time,
        }


def _is_class(default: float) -> bool:
    return (isinstance(default, int) or default.is_integer()) and -INT64 <= default < INT64


def _check_default(default: Any, record: RecordConfig, task: Task) -> None:
    wanted = None
    if task is Task.CLASSIFICATION:
        known = [*record.classes, *([] if record.positive is None else [record.positive])]
        if known and isinstance(known[0], str) != isinstance(default, str):
            wanted = f"a label like {known[0]!r}"
        elif not isinstance(default, str) and not _is_class(default):
            wanted = "a string, an integer of 64 bits, true or false"
    elif type(default) not in (int, float) or not abs(default) < LARGEST:
        wanted = "a number"
    elif task is Task.ANOMALY and default not in (0, 1):
        wanted = "1 or 0"
    if wanted:
        raise ValueError(
            f'wanted {wanted} as [label] default for task "{task}", got {default!r}: correct it'
        )
