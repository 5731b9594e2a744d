"""Nobody but the owner can read what a service makes, whatever the umask is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.config import load
from stream.log_kinds import open_appender
from stream.private import make_file, make_folder
from tests.command import CONFIG, ROOT, records
from tests.waiting import until

PLACES = {"log.db": "made/here/log.db", "store.db": "made/there/store.db"}


def open_to_others(folder: Path) -> dict[str, str]:
    """What anybody but the owner has a right to, with its permissions."""
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    wrong = {p: m for p, m in found.items() if m != (0o700 if p.is_dir() else 0o600)}
    return {str(path.relative_to(folder)): oct(mode) for path, mode in wrong.items()}


@pytest.fixture
def nothing_masked() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_masked")
def test_what_a_running_service_has_made_is_its_owner_s(tmp_path: Path) -> None:
    text = CONFIG + '[predictions]\ntopic = "told"\n[checkpoint]\nevery = "50ms"\n'
    for name, place in PLACES.items():
        text = text.replace(f'"{name}"', f'"{place}"')
    config = tmp_path / "alluvia.toml"
    config.write_text(text, "utf-8")
    appender = open_appender(load(config))
    appender.create(2)
    appender.close()
    rows = tmp_path / "rows.jsonl"
    rows.write_text(records(100) + "not json\n", "utf-8")
    config.chmod(0o600)
    rows.chmod(0o600)
    command = [sys.executable, "-m", "stream"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [*command, "feed", config.name, rows.name], cwd=tmp_path, env=environment, check=True
    )
    with subprocess.Popen(
        [*command, "run", config.name], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    ) as service:
        folder = tmp_path / ".alluvia" / "demo"
        try:
            until(lambda: any(folder.glob("sent-*")) and (folder / "dead.db-wal").exists(), 60)
            assert open_to_others(tmp_path) == {}
            names = {path.name for path in tmp_path.rglob("*")}
        finally:
            service.kill()
    kinds = ("manifest-", "journal-", "lineage-", "sent-", "log.db.")
    assert all(any(name.startswith(kind) for name in names) for kind in kinds)
    assert names >= {"dead.db", "dead.db-wal", "dead.db-shm", "log.db-wal", "log.db-shm"}
    assert names >= {"store.db", "store.db-wal", "store.db-shm", "parts"}


@pytest.mark.usefixtures("nothing_masked")
def test_what_was_there_stays_as_it_was(tmp_path: Path) -> None:
    folder, file = tmp_path / "shared", tmp_path / "shared" / "file"
    folder.mkdir(0o755)
    file.touch(0o640)
    file.write_text("kept", "utf-8")
    make_folder(folder)
    make_file(file)
    assert file.read_text("utf-8") == "kept"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)]
    assert modes == [0o755, 0o640]


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists"):
        make_folder(tmp_path / "file")
    with pytest.raises(OSError, match="Not a directory"):
        make_folder(tmp_path / "file" / "below")
