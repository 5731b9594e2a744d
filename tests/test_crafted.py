"""A whole checkpoint that somebody crafted, under the commands that load one."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from stream import manifest
from tests.command import alluvia, records, refused
from tests.test_unpickler import GADGETS, crafted

PICKLE = ".pickle"


def replaced(folder: Path, data: bytes) -> None:
    """Put data in the place of the learner's state in the newest checkpoint, with right digests."""
    path = max(folder.glob("manifest-*.json"))
    held = manifest.from_bytes(path.read_bytes())
    name = hashlib.sha256(data).hexdigest()
    (folder / "parts" / name).write_bytes(data)
    parts = {part: name if part.endswith(PICKLE) else old for part, old in held.parts.items()}
    assert parts != held.parts
    path.write_bytes(dataclasses.replace(held, parts=parts).to_bytes())


@pytest.mark.slow
@pytest.mark.usefixtures("handlers", "bare_environment")
def test_no_command_runs_what_a_crafted_checkpoint_names(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent
    (folder / "rows.jsonl").write_text(records(50), "utf-8")
    alluvia(folder, "feed", config.name, "rows.jsonl")
    alluvia(folder, "run", config.name, "--until-end")
    capsys.readouterr()
    marker = folder / "marker"
    for name in (
        "os:system",
        "builtins:eval",
        "numpy:memmap",
        "joblib:dump",
        "logging:FileHandler",
    ):
        given = [part.format(marker) if isinstance(part, str) else part for part in GADGETS[name]]
        replaced(folder / ".alluvia" / "demo", crafted(name, *given))
        for command in (["run", str(config), "--until-end"], ["state", str(config)]):
            assert name.replace(":", ".") in refused(capsys, *command)
            assert not marker.exists()
