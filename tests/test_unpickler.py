from __future__ import annotations

import collections
import functools
import importlib
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, forest, linear_model, preprocessing, stats, tree
from sklearn import utils
from sklearn.linear_model import LogisticRegression

from learners.allowed import CALLED, MADE, VALUES
from learners.errors import StateError
from learners.opaque import dumps, loads


def crafted(name: str, *arguments: Any) -> bytes:
    """Return a pickle that calls a global by name; a dotted name is followed."""
    module, _, rest = name.partition(":")
    body = pickle.dumps(arguments, 5)[2:-1]
    return b"\x80\x05" + text(module) + text(rest) + pickle.STACK_GLOBAL + body + b"R."


def text(value: str) -> bytes:
    data = value.encode()
    return pickle.BINUNICODE + len(data).to_bytes(4, "little") + data


GADGETS: dict[str, list[Any]] = {
    "os:system": ["touch {0}"],
    "posix:system": ["touch {0}"],
    "os:mkdir": ["{0}"],
    "subprocess:Popen": [["touch", "{0}"]],
    "subprocess:check_output": [["touch", "{0}"]],
    "builtins:eval": ["open('{0}', 'w')"],
    "builtins:exec": ["open('{0}', 'w')"],
    "builtins:open": ["{0}", "w"],
    "builtins:__import__": ["antigravity"],
    "builtins:compile": ["1", "a", "eval"],
    "builtins:type": ["A", (), {}],
    "builtins:getattr": [{}, "__class__"],
    "builtins:map": [print, ["{0}"]],
    "io:open": ["{0}", "w"],
    "io:FileIO": ["{0}", "w"],
    "pathlib:Path.touch": ["{0}"],
    "shutil:rmtree": ["{0}"],
    "runpy:run_path": ["{0}"],
    "importlib:import_module": ["antigravity"],
    "pickle:loads": [b"N."],
    "marshal:loads": [b"N"],
    "types:FunctionType": [None, {}],
    "operator:methodcaller": ["touch"],
    "operator:attrgetter": ["__class__.__base__"],
    "copyreg:_reconstructor": [object, object, None],
    "copyreg:__newobj_ex__": [object, (), {}],
    "ctypes:CDLL": ["{0}"],
    "logging:FileHandler": ["{0}"],
    "tempfile:NamedTemporaryFile": [],
    "numpy:load": ["{0}"],
    "numpy:array": [[1]],
    "numpy:fromfile": ["{0}"],
    "numpy:memmap": ["{0}", "u1", "w+", 0, 8],
    "numpy:savetxt": ["{0}", [1.0]],
    "numpy:vectorize": [print],
    "numpy:apply_along_axis": [print, 0, [1.0]],
    "numpy:dtype": ["f8"],
    "numpy:ndarray": [(1,), "O", b"AAAAAAAA"],
    "numpy:float64": ["1"],
    "numpy._core.multiarray:_reconstruct": [list, (0,), b"b"],
    "numpy.testing._private.utils:runstring": ["open('{0}', 'w')", {}],
    "numpy.testing:rundocs": ["{0}"],
    "numpy.f2py:compile": ["x"],
    "numpy.lib._datasource:open": ["{0}", "w"],
    "numpy.ctypeslib:load_library": ["x", "{0}"],
    "joblib:load": ["{0}"],
    "joblib:dump": [1, "{0}"],
    "joblib.numpy_pickle:load": ["{0}"],
    "joblib.numpy_pickle:NumpyArrayWrapper": [],
    "joblib.memory:Memory": ["{0}"],
    "joblib._store_backends:concurrency_safe_write": [1, "{0}", print],
    "joblib.externals.cloudpickle:loads": [b"N."],
    "joblib.parallel:BatchedCalls": [[], None],
    "sklearn.datasets:load_svmlight_file": ["{0}"],
    "sklearn.datasets:fetch_openml": ["iris"],
    "sklearn.datasets._base:_fetch_remote": ["{0}"],
    "sklearn.utils.parallel:_FuncWrapper": [print],
    "sklearn.utils._testing:ignore_warnings": [print],
    "sklearn.utils.extmath:safe_sparse_dot": [1, 2],
    "sklearn.linear_model:SGDClassifier.fit": [1],
    "sklearn.tree:export_graphviz": [1, "{0}"],
    "scipy.io:loadmat": ["{0}"],
    "pandas:read_pickle": ["{0}"],
    "pandas:eval": ["1"],
    "river.stream:iter_csv": ["{0}"],
    "river.stream.cache:Cache": ["{0}"],
    "river.datasets.base:FileDataset": ["{0}"],
    "river.datasets.synth.agrawal:Agrawal": [],
    "river.datasets.phishing:Phishing": [],
    "river.evaluate.progressive_validation:progressive_val_score": [1],
    "river.utils.param_grid:expand_param_grid": [1, {}],
    "river.linear_model.lin_reg:LinearRegression": [],
    "river.linear_model.lin_reg:LinearRegression.learn_one": [1],
    "river.linear_model.lin_reg:LinearRegression.__init__.__globals__": [],
    "river.linear_model.lin_reg:base.Regressor": [],
    "river.test_estimators:os": [],
    "learners.opaque:loads": [b"N."],
    "learners.unpickler:importlib.import_module": ["antigravity"],
}


def test_the_crafted_states_act_where_nothing_refuses_them(tmp_path: Path) -> None:
    pickle.loads(crafted("os:mkdir", str(tmp_path / "marker")))
    assert (tmp_path / "marker").is_dir()


@pytest.mark.parametrize("name", GADGETS)
def test_a_crafted_state_is_refused_before_it_acts(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    arguments = [part.format(marker) if isinstance(part, str) else part for part in GADGETS[name]]
    with pytest.raises(StateError):
        loads(crafted(name, *arguments))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "state",
    [
        b"\x80\x02cos\nsystem\n(U\x04trueR.",
        b"(ios\nsystem\nX\x04\x00\x00\x00true.",
        b"\x80\x05Vname\nQ.",
        b"Pname\n.",
        b"\x80\x05\x82\x01.",
        b"\x80\x05\x97.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
        b"",
        b"\x80\x05",
        b"\x80\x05K\x01",
    ],
    ids=lambda state: repr(state[:12]),
)
def test_old_steps_and_torn_bytes_are_refused(state: bytes) -> None:
    with pytest.raises(StateError):
        loads(state)


def fills(name: str, state: bytes) -> bytes:
    module, _, rest = name.partition(":")
    head = b"\x80\x05" + text(module) + text(rest) + pickle.STACK_GLOBAL
    return head + b"\x94)\x81" + state + b"b."


def test_a_state_does_not_rewrite_classes_or_set_special_attributes() -> None:
    name = "river.linear_model.lin_reg:LinearRegression"
    module, _, rest = name.partition(":")
    on_class = b"N}" + text("learn_one") + b"Ns\x86b."
    head = b"\x80\x05" + text(module) + text(rest) + pickle.STACK_GLOBAL
    with pytest.raises(StateError):
        loads(head + on_class)
    assert callable(linear_model.LinearRegression().learn_one)
    for state in (b"}" + text("__deepcopy__") + b"Ns", b"N}" + text("__class__") + b"Ns\x86"):
        with pytest.raises(StateError, match="plain attributes"):
            loads(fills(name, state))


def test_words_and_fields_may_begin_as_special_attributes_do() -> None:
    counts = collections.Counter({"____": 3, "__class__": 1})
    again = loads(dumps(collections.defaultdict(collections.Counter, {"__x": counts})))
    assert again == {"__x": counts}
    assert type(again["__x"]) is collections.Counter
    scaler = preprocessing.StandardScaler()
    scaler.learn_one({"__x": 1.0, "__class__": 2.0})
    assert loads(dumps(scaler)).transform_one({"__x": 1.0, "__class__": 2.0})


class Shown(dict):  # type: ignore[type-arg]
    """A dict that shows its keys as attributes."""

    def __getattr__(self, name: str) -> object:
        return self[name]


class Same(dict):  # type: ignore[type-arg]
    """A dict that is its own attributes."""

    def __init__(self) -> None:
        self.__dict__ = self


@pytest.mark.parametrize("kind", [Shown, Same, utils.Bunch])
def test_a_dict_that_shows_its_keys_as_attributes_takes_no_special_ones(kind: type) -> None:
    name = f"{kind.__module__}:{kind.__qualname__}"
    module, _, rest = name.partition(":")
    head = b"\x80\x05" + text(module) + text(rest) + pickle.STACK_GLOBAL
    trust = frozenset({name.replace(":", ".")})
    state = b")R" + text("__deepcopy__") + b"Ns."
    with pytest.raises(StateError, match="plain attributes"):
        loads(head + state, trust)


def test_a_value_is_not_called_and_no_method_is_followed() -> None:
    with pytest.raises(StateError, match=r"numpy\.ones"):
        loads(crafted("numpy:ones", 3))
    assert loads(dumps(functools.partial(np.ones, 3)))().tolist() == [1, 1, 1]
    with pytest.raises(StateError, match=r"LinearRegression\.predict_one"):
        loads(dumps(linear_model.LinearRegression().predict_one))


def test_an_item_getter_looks_up_nothing_but_text_and_integers() -> None:
    assert loads(crafted("operator:itemgetter", "a"))({"a": 1}) == 1
    assert loads(crafted("operator:itemgetter", 1, "b"))({1: 2, "b": 3}) == (2, 3)
    strange: list[tuple[Any, ...]] = [(), (1.5,), (True,), (("a",),), ("a", ["b"]), ({},)]
    for items in strange:
        with pytest.raises(StateError, match=r"operator\.itemgetter"):
            loads(crafted("operator:itemgetter", *items))
    made = b"\x80\x05" + text("operator") + text("itemgetter") + pickle.STACK_GLOBAL
    called = made + b"(" + text("a") + b"tR"
    for state in (made + b")\x81.", called + b"}b.", called + b"}\x85R."):
        with pytest.raises(StateError):
            loads(state)


def test_arrays_take_only_bytes_that_fit() -> None:
    for arguments in (("O", (1,), "C", b"A" * 8), ("<f8", (9,), "C", b"A" * 8)):
        with pytest.raises(StateError):
            loads(crafted("learners.reducers:array", *arguments))


def test_every_listed_name_exists() -> None:
    missing = []
    for name in CALLED | MADE | VALUES:
        module, found = name, None
        while found is None and "." in module:
            module = module.rpartition(".")[0]
            try:
                found = importlib.import_module(module)
            except ImportError:
                continue
        try:
            for part in name[len(module) + 1 :].split("."):
                found = getattr(found, part)
        except AttributeError:
            missing.append(name)
    assert not missing


@functools.cache
def saved() -> tuple[bytes, ...]:
    models: list[Any] = [
        forest.ARFClassifier(n_models=2, seed=1),
        compose.Pipeline(preprocessing.StandardScaler(), tree.HoeffdingTreeRegressor()),
    ]
    for model in models:
        for row in range(30):
            model.learn_one({"a": row % 7, "b": row % 5}, row % 7 > 3)
    rows = np.arange(8.0).reshape(4, 2)
    return (*map(dumps, models), dumps(LogisticRegression().fit(rows, [0, 1, 0, 1])))


def test_a_panic_of_the_compiled_part_of_river_is_a_state_error() -> None:
    mean = stats.EWMean()
    inside = bytes(mean._ewmean.__getstate__())
    whole = pickle.SHORT_BINBYTES + bytes([len(inside)]) + inside
    cut = pickle.SHORT_BINBYTES + bytes([len(inside) - 1]) + inside[:-1]
    state = dumps(mean)
    assert state.count(whole) == 1
    with pytest.raises(StateError, match="wanted a saved state"):
        loads(state.replace(whole, cut))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_altered_bytes_raise_nothing_but_a_state_error(data: st.DataObject) -> None:
    state = bytearray(data.draw(st.sampled_from(saved())))
    places = st.integers(0, len(state) - 1)
    for place, byte in data.draw(st.dictionaries(places, st.integers(0, 255), min_size=1)).items():
        state[place] = byte
    cut = data.draw(st.one_of(st.none(), places))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loads(bytes(state[:cut]))
        except StateError:
            pass
