import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from stream.config import Config, differences, load
from stream.errors import ConfigError
from stream.refusal import table_in
from stream.sections import WindowConfig
from tests.command import ROOT
from tests.configuring import BASE, read, refusal

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_defaults_follow_the_name_and_the_folder(tmp_path: Path) -> None:
    config = read(tmp_path, BASE)
    assert (config.log.kind, config.log.topic, config.log.group) == ("embedded", "elec2", "elec2")
    assert config.log.path == tmp_path / ".alluvia/log.db"
    assert config.store.path == tmp_path / ".alluvia/store.db"
    assert config.checkpoint.path == tmp_path / ".alluvia/elec2"
    assert (config.store.ttl, config.checkpoint.every) == (30 * 86_400_000, 10_000)
    assert (config.record.max_bytes, config.record.start) == (1_000_000, "earliest")
    assert config.folder == tmp_path


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    text = f'{BASE}[checkpoint]\npath = "{tmp_path / "elsewhere"}"'
    assert read(tmp_path / ".", text).checkpoint.path == tmp_path / "elsewhere"


def test_a_configuration_is_frozen(tmp_path: Path) -> None:
    config = read(tmp_path, BASE)
    with pytest.raises(ValueError, match="frozen"):
        config.log.servers = "other:9092"


def test_the_environment_overrides_every_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLUVIA_SEED", "5")
    monkeypatch.setenv("ALLUVIA_LOG__SERVERS", "broker:9092")
    monkeypatch.setenv("ALLUVIA_MODEL__WINDOW__RECORDS", "77")
    monkeypatch.setenv("ALLUVIA_MODEL__PARAMS__L2", "0.5")
    monkeypatch.setenv("ALLUVIA_RECORD__LEAVE_OUT", '["date"]')
    monkeypatch.setenv("ALLUVIA_STORE__TTL", "none")
    monkeypatch.setenv("ALLUVIA_CHECKPOINT__URL", "s3://models/elec2")
    monkeypatch.setenv("ALLUVIA_CHECKPOINT__OPTIONS__USE_SSL", "false")
    monkeypatch.setenv("ALLUVIA_CHECKPOINT__OPTIONS__SECRET", "007")
    monkeypatch.setenv("ALLUVIA_DEAD__TOPIC", "dead")
    config = read(tmp_path, BASE + '[log]\nservers = "file:1"\n')
    assert (config.seed, config.log.servers) == (5, "broker:9092")
    assert config.model.window == WindowConfig(records=77)
    assert config.model.params == {"l2": 0.5}
    assert config.record.leave_out == ["date"]
    assert config.store.ttl is None
    assert config.checkpoint.options == {"use_ssl": False, "secret": "007"}


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ALLUVIA_LOG__SERVRS", "x", 'unknown key [log] servrs; did you mean "servers"?'),
        (
            "ALLUVIA_LGO__SERVERS",
            "x",
            "unknown table LGO in the variable ALLUVIA_LGO__SERVERS; did",
        ),
        ("ALLUVIA_SCORE__WINDOW", "abc", "[score] window: wanted a whole number, got 'abc'"),
        ("alluvia_score__window", "abc", "[score] window: wanted a whole number, got 'abc'"),
        ("ALLUVIA_RECORD__TAKE", "a,b", "[record] take: wanted a list, got 'a,b'"),
        ("ALLUVIA_LOG", "[1]", "log: wanted a table, got [1]"),
        ("ALLUVIA_LOG", '{"servers": 5}', "[log] servers: wanted a string, got 5"),
        ("ALLUVIA_LOG_SERVERS", "x", 'unknown variable ALLUVIA_LOG_SERVERS; did you mean "ALL'),
        ("ALLUVIA_MODEL_WINDOW_KEEP", "5", 'did you mean "ALLUVIA_MODEL__WINDOW__KEEP"?'),
        ("ALLUVIA_XYZ", "5", "unknown variable ALLUVIA_XYZ; unset it"),
        ("ALLUVIA_LOG__PATH__X", "5", '[log] path is no table; did you mean "ALLUVIA_LOG__PATH"?'),
        ("ALLUVIA_SEED__X", "5", 'seed is no table; did you mean "ALLUVIA_SEED"?'),
        ("ALLUVIA_SEED", "9" * 5_000, "seed: "),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    sentence = refusal(tmp_path, BASE)
    assert expected in sentence
    assert variable in sentence
    assert "elec2.toml" not in sentence


def test_what_file_and_variables_contradict_names_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLUVIA_RECORD__POSITIVE", "c")
    sentence = refusal(tmp_path, BASE.replace("[model]", 'classes = ["a", "b"]\n[model]'))
    assert sentence.startswith("elec2.toml with ALLUVIA_RECORD__POSITIVE: ")
    assert "wanted positive among classes, got 'c'" in sentence


def test_an_error_of_the_file_names_no_variable_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLUVIA_LOG", '{"servers": "broker:9092"}')
    monkeypatch.setenv("ALLUVIA_SCORE__WINDOW", "7")
    assert refusal(tmp_path, BASE + "[log]\ntopic = 5").startswith("elec2.toml: [log] topic")


def test_secrets_are_kept_as_text_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLUVIA_LOG__OPTIONS__SASL_PLAIN_PASSWORD", "0077")
    monkeypatch.setenv("ALLUVIA_LOG__OPTIONS__SSL_PASSWORD", "12e5")
    monkeypatch.setenv("ALLUVIA_LOG__OPTIONS__REQUEST_TIMEOUT_MS", "3000")
    monkeypatch.setenv("ALLUVIA_STORE__URL", "redis://app:hunter2@cache:6379/0")
    config = read(tmp_path, BASE + '[log]\nkind = "kafka"\n')
    assert config.log.options == {
        "sasl_plain_password": "0077",
        "ssl_password": "12e5",
        "request_timeout_ms": 3000,
    }
    for shown in (repr(config), str(config), repr(config.log), str(config.store)):
        assert not any(secret in shown for secret in ("0077", "12e5", "hunter2"))
    described = config.describe()
    assert not any(secret in described for secret in ("0077", "12e5", "hunter2"))
    assert 'store.url = "redis://app:****@cache:6379/0"' in described


def test_a_refusal_shows_no_secret(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, BASE + '[store]\nurl = ["redis://app:hunter2@cache"]')
    assert "hunter2" not in sentence
    assert "[store] url: wanted a string" in sentence


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ALLUVIA_CHECKPOINT", '{"key": "hunter2-hunter2-hunter2"'),
        ("ALLUVIA_LOG__OPTIONS", '{"sasl_plain_password": "hunter2"'),
        ("ALLUVIA_CHECKPOINT__KEY", "hunter2"),
    ],
)
def test_a_refusal_of_what_is_no_json_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    sentence = refusal(tmp_path, BASE)
    assert "hunter2" not in sentence
    assert sentence.startswith(f"{variable}: ")


KUBERNETES = {
    "ALLUVIA_SERVICE_HOST": "10.96.0.7",
    "ALLUVIA_SERVICE_PORT": "9100",
    "ALLUVIA_SERVICE_PORT_METRICS": "9100",
    "ALLUVIA_PORT": "tcp://10.96.0.7:9100",
    "ALLUVIA_PORT_9100_TCP": "tcp://10.96.0.7:9100",
    "ALLUVIA_PORT_9100_TCP_PROTO": "tcp",
    "ALLUVIA_PORT_9100_TCP_PORT": "9100",
    "ALLUVIA_PORT_9100_TCP_ADDR": "10.96.0.7",
}


@pytest.mark.parametrize("service", ["ALLUVIA", "ALLUVIA_CHURN_2"])
def test_what_kubernetes_makes_for_a_service_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(service + name.removeprefix("ALLUVIA"), value)
    assert read(tmp_path, BASE) == read(tmp_path, BASE)
    monkeypatch.setenv("ALLUVIA_PORTS", "9100")
    assert "unknown variable ALLUVIA_PORTS" in refusal(tmp_path, BASE)


@pytest.mark.parametrize("name", [name for name in KUBERNETES if "HOST" not in name])
def test_without_a_service_they_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, KUBERNETES[name])
    assert f"unknown variable {name}" in refusal(tmp_path, BASE)


def test_the_digest_is_of_the_model_alone(tmp_path: Path) -> None:
    digest = read(tmp_path, BASE).model_digest()
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    wiring = '[log]\nkind = "kafka"\n[store]\nkind = "redis"\n[checkpoint]\nevery = "1m"\n'
    same = BASE + 'trust = ["a.b"]\n' + wiring
    assert read(elsewhere, same).model_digest() == digest
    for other in (
        "seed = 2\n" + BASE,
        BASE.replace('class"', 'Class"'),
        BASE.replace("[model]", 'key = "id"\n[model]'),
        BASE.replace("[model]", 'max_bytes = "2MB"\n[model]'),
        BASE + "params = {l2 = 0.1}",
        BASE + "[model.window]\nkeep = 3",
    ):
        assert read(tmp_path, other).model_digest() != digest


def test_the_digest_moves_with_the_folder(tmp_path: Path) -> None:
    text = BASE.replace("[model]", 'warm_up = "past.csv"\n[model]')
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = read(tmp_path / "a", text), read(tmp_path / "b", text)
    assert first.record.warm_up == tmp_path / "a" / "past.csv"
    assert first.model_fields_json() == second.model_fields_json()


def test_differences_name_the_changed_fields(tmp_path: Path) -> None:
    saved = json.loads(read(tmp_path, BASE).model_fields_json())
    now = json.loads(
        read(tmp_path, "seed = 9\n" + BASE + "params = {l2 = 0.1}").model_fields_json()
    )
    assert differences(saved, saved) == []
    assert differences(saved, now) == ["model.params.l2: null -> 0.1", "seed: 1 -> 9"]


words = st.sampled_from(
    ["name", "task", "log", "record", "model", "window", "learner", "pipeline", "params", "use"]
)
names = st.one_of(words, st.text())
# Not st.recursive: it takes draws that chance to be flat for a strategy that cannot nest.
values: st.SearchStrategy[object] = st.deferred(
    lambda: st.one_of(
        st.just(0),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.lists(values, max_size=3),
        st.dictionaries(names, values, max_size=3),
    )
)


@given(st.dictionaries(names, values))
def test_any_values_are_taken_or_refused_in_one_type(values: dict[str, object]) -> None:
    try:
        config = Config.of({"name": "a", "task": "regression"} | values)
    except ConfigError as error:
        assert str(error)
    else:
        assert json.loads(config.model_fields_json())["task"] == "regression"


pieces = st.sampled_from(
    [*BASE.splitlines(), "[log]", "kind = 1", "[[model]]", "a.b = 1", "{", '"']
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(pieces, st.text(max_size=20)), max_size=12).map("\n".join))
def test_any_text_is_taken_or_refused_in_one_type(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        assert load(path).name
    except ConfigError as error:
        assert "any.toml" in str(error)


@settings(max_examples=20)
@given(st.integers(1_000, 3_000))
def test_deep_nesting_is_refused(depth: int) -> None:
    nested: object = 1
    for _ in range(depth):
        nested = [nested]
    model = {"learner": "a.B", "params": {"x": nested}}
    with pytest.raises(ConfigError):
        Config.of({"name": "a", "task": "regression", "record": {"label": "y"}, "model": model})


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")

    def keys(table: type[BaseModel]) -> Iterator[str]:
        for name, field in table.model_fields.items():
            inner = table_in(field.annotation)
            yield from [name] if inner is None else keys(inner)

    assert [key for key in keys(Config) if not re.search(rf"`([a-z]+\.)?{key}`", text)] == []
