"""Import paths in the configuration: what they name, and what a call of it makes."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from stream.errors import ConfigError
from stream.refusal import nearest

_ROOTS = ("river", "sklearn", "ensembles", "learners")
_USER = "alluvia_user_"


def find(path: str, folder: Path) -> Any:
    """Return what "package.module.Name" or "file.py:name" names.

    A file is looked for in `folder` and becomes the module `alluvia_user_<stem>`, so that pickles
    can refer to what it defines.

    Raises
    ------
    ConfigError
        Nothing has that name, or importing it failed; with the nearest name there is.

    Examples
    --------
    >>> find("river.naive_bayes.GaussianNB", Path()).__name__
    'GaussianNB'
    """
    where, colon, name = path.rpartition(":")
    if colon:
        module = _user_module(folder / where, path)
    else:
        where, dot, name = path.rpartition(".")
        if not dot or not all(path.split(".")):
            raise ConfigError(
                f'wanted an import path such as "river.naive_bayes.GaussianNB" or "file.py:name", '
                f"got {path!r}: {nearest(path, _ROOTS)}"
            )
        module = _module(where)
    if not hasattr(module, name):
        known = [known for known in dir(module) if not known.startswith("_")]
        raise ConfigError(f"{where} has no {name or 'empty name'}; {nearest(name, known)}")
    return getattr(module, name)


def user_names(folder: Path) -> frozenset[str]:
    """Return the exact names of what the loaded Python files of this folder define themselves."""
    names: set[str] = set()
    for module in [module for name, module in sys.modules.items() if name.startswith(_USER)]:
        if module.__file__ is not None and Path(module.__file__).parent == folder:
            names |= {
                f"{module.__name__}.{name}"
                for name, value in vars(module).items()
                if inspect.isroutine(value) or inspect.isclass(value)
                if value.__module__ == module.__name__
            }
    return frozenset(names)


def make(factory: Any, params: Mapping[str, Any], path: str, folder: Path) -> Any:
    """Return what `factory` makes of `params`; tables with `use` inside are made first.

    A list under the name of a factory's `*args` is spread over them.

    Raises
    ------
    ConfigError
        A parameter is unknown or missing, or the factory refuses them.
    """
    if not callable(factory):
        raise ConfigError(
            f"wanted a class or a function, got {path}, a {type(factory).__name__}: "
            "name what makes the estimator"
        )
    made = {name: _made(value, folder) for name, value in params.items()}
    positional, named = _bound(factory, made, path)
    try:
        return factory(*positional, **named)
    except ConfigError:
        raise
    except Exception as error:  # a constructor may refuse its parameters with any error
        raise ConfigError(
            f"{path} refused its parameters with {type(error).__name__}: {error}; correct them"
        ) from error


def _made(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_made(inner, folder) for inner in value]
    if not isinstance(value, dict):
        return value
    if "use" not in value:
        return {name: _made(inner, folder) for name, inner in value.items()}
    params = {name: inner for name, inner in value.items() if name != "use"}
    path = value["use"]
    if not isinstance(path, str):
        raise ConfigError(f"wanted an import path as use, got {path!r}: name a class or a function")
    return make(find(path, folder), params, path, folder)


def _bound(
    factory: Callable[..., Any], params: dict[str, Any], path: str
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments by position and by name, all of them known to the factory."""
    try:
        known = inspect.signature(factory).parameters
    except ValueError:  # written in C, without a signature: it checks for itself
        return [], params
    open_ended = any(one.kind is one.VAR_KEYWORD for one in known.values())
    named = {name for name, one in known.items() if one.kind is not one.VAR_KEYWORD}
    for name in params:
        if name not in named and not open_ended:
            hint = nearest(name, named)
            raise ConfigError(f"{path} has no parameter {name}; {hint}")
    missing = [
        name
        for name, one in known.items()
        if one.default is one.empty
        and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        and name not in params
    ]
    if missing:
        raise ConfigError(f"{path} wanted the parameter {missing[0]}, got none: give it")
    spread = [name for name, one in known.items() if one.kind is one.VAR_POSITIONAL]
    positional = [value for name in spread for value in _as_list(params.pop(name, []), name, path)]
    return positional, params


def _as_list(value: Any, name: str, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{path} wanted a list as {name}, got {value!r}: put it in [ ]")
    return value


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"importing {name} wanted {error.name}, which is not installed: install it"
            ) from error
        raise ConfigError(_no_module(error.name)) from error
    except Exception as error:  # a module's own code may raise anything
        raise ConfigError(
            f"importing {name} failed with {type(error).__name__}: {error}; correct that module"
        ) from error


def _no_module(name: str) -> str:
    parent, _, last = name.rpartition(".")
    if not parent:
        return f"no package {name}; {nearest(name, _ROOTS)}, or install it"
    places = getattr(sys.modules[parent], "__path__", [])
    names = [found.name for found in pkgutil.iter_modules(places)]
    return f"{parent} has no {last}; {nearest(last, names)}"


def _user_module(file: Path, path: str) -> ModuleType:
    name = f"{_USER}{file.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(file):
        return loaded  # loaded again, its classes would no longer be those of live objects
    if file.suffix != ".py" or not file.stem.isidentifier() or not file.is_file():
        there = [found.name for found in file.parent.glob("*.py")]
        raise ConfigError(
            f'wanted a Python file beside the configuration in "{path}", got no such file '
            f"{file.name}; {nearest(file.name, there)}"
        )
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"wanted a Python file, got {file}, which Python cannot load: rename it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's file may raise anything
        del sys.modules[name]
        line = error.lineno if isinstance(error, SyntaxError) else _line_in(file, error)
        raise ConfigError(
            f"{file.name}, line {line}: {type(error).__name__}: {error}; correct the file"
        ) from error
    return module


def _line_in(file: Path, error: Exception) -> int | None:
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(file)), None)
