"""Reads configurations in a test, and what is said of those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config import Config, load
from stream.errors import ConfigError

BASE = """
name = "elec2"
task = "classification"
[record]
label = "class"
[model]
learner = "river.linear_model.LogisticRegression"
"""


def read(folder: Path, text: str) -> Config:
    path = folder / "elec2.toml"
    path.write_text(text, "utf-8")
    return load(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence
