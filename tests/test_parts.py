from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from learners.base import State
from stream import parts
from tests.states import same

NAMES = st.text("abé鍵_-0 ", min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ARRAYS = arrays.arrays(
    st.sampled_from(["f8", "f4", "i8", "i4", "u1", "?", ">f8", "U3"]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
STATES = st.recursive(
    st.builds(
        State,
        st.dictionaries(st.text(), JSON, max_size=3),
        st.dictionaries(NAMES, ARRAYS, max_size=2),
        st.dictionaries(NAMES, st.binary(max_size=8), max_size=2),
    ),
    lambda inner: st.builds(
        State,
        arrays=st.dictionaries(NAMES, ARRAYS, max_size=2),
        members=st.dictionaries(NAMES, inner, max_size=3),
    ),
    max_leaves=4,
)


def there_and_back(state: State) -> State:
    flat = parts.flatten(state, "learner")
    # Beside the parts of other components, as in a manifest.
    flat |= parts.flatten(State({"of": "another"}, {"a": np.zeros(1)}), "learners")
    return parts.assemble({path: path for path in sorted(flat)}, "learner", flat.__getitem__)


@settings(max_examples=200)
@given(STATES)
def test_a_state_comes_back_as_it_was(state: State) -> None:
    assert same(there_and_back(state), state)


@pytest.mark.parametrize(
    "array", [np.array(float("nan")), np.zeros((0, 3)), np.asfortranarray(np.eye(3)[:, :2])]
)
def test_an_array_of_any_shape_comes_back(array: np.ndarray[Any, Any]) -> None:
    back = there_and_back(State(arrays={"a.b": array})).arrays["a.b"]
    assert (back.shape, back.dtype, back.tobytes()) == (array.shape, array.dtype, array.tobytes())


def test_an_array_of_objects_is_not_written() -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        parts.flatten(State(arrays={"a": np.array([object()])}), "learner")


def test_equal_states_have_equal_bytes() -> None:
    one = State({"a": 1, "b": 2}, {"x": np.ones(2)})
    other = State({"b": 2, "a": 1}, {"x": np.ones(2)})
    assert parts.flatten(one, "learner") == parts.flatten(other, "learner")
