"""Building methods and backbones from their specifications, seeded, and loading stored stages."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.errors import JobError, UserError, one_line, unknown
from benchmark.method import ControlMethod
from benchmark.registry.digest import beside
from benchmark.registry.discovery import backbone_source, entry_point, find, source_of
from benchmark.registry.spec import Spec, Value, parse
from benchmark.tasks import Task
from benchmark.training.stage import Stage


def create_method(spec_text: str, file: Path | None = None) -> ControlMethod:
    """Returns a method constructed with the options of its specification, not yet assembled.

    Raises:
        UserError: If the name or an option is unknown, a value is refused, or the file does not exist.
        JobError: If the module does not import, or its class cannot be constructed.
    """
    spec = parse(spec_text)
    source = source_of(spec_text, file)
    if file is not None:
        module = _import_file(file)
    elif source.endswith(".py"):
        module, named = entry_point(find(spec.name, ("method",)).path)
        if named:
            return _construct(_named_class(module, named, ControlMethod), spec)
        module = _import(module)
    else:
        module = _import(source)
    return _construct(_only_class(module, ControlMethod, spec.name), spec)


def create_backbone(spec_text: str, scale: int) -> nn.Module:
    """Returns a freshly initialised backbone whose output is ``scale`` times its input.

    Raises:
        UserError: If the name or an option is unknown, or a value is refused.
        JobError: If the module does not import, or its class cannot be constructed.
    """
    spec = parse(spec_text)
    module = _import(backbone_source(spec_text))
    for key, value in spec.options.items():
        if isinstance(value, int | float) and value < 0:
            raise UserError(f"{spec.name}:{key}={value}: give a number that is not negative")
    named = [getattr(module, name, None) for name in getattr(module, "__all__", ())]
    if not named or not isinstance(named[0], type):
        raise JobError(f"{module.__name__} must name its class in __all__ = [...], first of all")
    with warnings.catch_warnings():
        # What has no channels is refused below, in our words.
        warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
        network = _construct(named[0], spec, scale=scale)
    for name, parameter in network.named_parameters():
        if not parameter.numel():
            raise UserError(
                f"{spec} has layers without channels ({name} is empty); choose larger numbers"
            )
    return network


@contextmanager
def seeded(*key: str | int) -> Iterator[None]:
    """Runs a block under a random state that depends on ``key`` alone, then restores the state."""
    text = "\x1f".join(str(part) for part in key)
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")
    # A process that has not used a GPU, such as one that plans, is not to begin with it here.
    used = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=used):
        torch.manual_seed(seed)
        yield


def build_backbone(spec: str, task: Task, seed: int) -> nn.Module:
    """Returns a freshly initialised backbone; the same for every method of one seed."""
    with seeded("backbone", spec, task.scale, seed):
        return create_backbone(spec, task.scale)


def build_method(method: ControlMethod, backbone_spec: str, task: Task, seed: int) -> ControlMethod:
    """Assembles a method on a fresh backbone of its task."""
    backbone = build_backbone(backbone_spec, task, seed)
    with seeded("method", type(method).__name__, seed):
        return method.assemble(backbone, task.space)


def load_stage(method: ControlMethod, stage: Stage, state: dict[str, Tensor]) -> None:
    """Loads a stored stage: a plain network into its submodule, or else the whole method.

    Raises:
        JobError: If keys or shapes do not fit; nothing is ever loaded in part.
    """
    target = method if stage.network is None else method.get_submodule(stage.network)
    try:
        target.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise JobError(
            f"the weights of stage '{stage.name}' do not fit the method, whose build() must leave what "
            f"a stage with network= trains as it was: {first}"
        ) from None


def load_states(method: ControlMethod, task: Task, states: dict[str, dict[str, Tensor]]) -> None:
    """Loads all stored stages of a method, in the order of ``method.stages``; it is trained then."""
    for stage in method.stages(task):
        load_stage(method, stage, states[stage.name])
    method.shed()


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise JobError(f"{name} does not import: {one_line(error)}") from error


def _import_file(path: Path) -> ModuleType:
    name = f"dialbench_file_{path.stem}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(path.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file; give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise JobError(f"{path} does not import: {one_line(error)}") from error
    for one, place in _strangers(path.resolve()):
        del sys.modules[name]
        raise JobError(
            f"{path} imports {one} from {place}, and the one beside it counts in the keys of its "
            "results; rename it, or run the two methods apart"
        )
    return module


def _strangers(path: Path) -> Iterator[tuple[str, Path]]:
    """Yields what a method file finds elsewhere under the name of what lies beside it."""
    for name, _ in beside(path):
        module = sys.modules.get(name)
        origin = getattr(module, "__file__", None) or next(
            iter(getattr(module, "__path__", ())), ""
        )
        place = Path(origin).resolve()
        # What lies beside it may be a link to what several methods share.
        own = {path.with_name(f"{name}.py").resolve(), path.with_name(name).resolve()}
        if origin and not own & {place, *place.parents}:
            yield name, place


def _named_class(module: str, name: str, base: type) -> type:
    found = getattr(_import(module), name, None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise JobError(f"{module}:{name} is no subclass of {base.__name__}; mend the entry point")
    return found


def _only_class(module: ModuleType, base: type, name: str) -> type:
    found = [
        one
        for key, one in vars(module).items()
        if isinstance(one, type)
        and issubclass(one, base)
        and one.__module__ == module.__name__
        and not key.startswith("_")
    ]
    if len(found) != 1:
        raise JobError(
            f"method '{name}' must be one public subclass of {base.__name__} in its file, "
            f"which has {len(found)}"
        )
    source = ast.parse(Path(str(module.__file__)).read_bytes())
    again = [one for one in source.body if getattr(one, "name", "") == found[0].__name__]
    if len(again) > 1:
        raise JobError(f"{found[0].__name__} is defined twice in the file of '{name}'; remove one")
    return found[0]


def _fitting(what: str, value: Value, parameter: inspect.Parameter) -> Value:
    """Returns an option as what its default value is: a number, a text, or true or false.

    Raises:
        UserError: If it is something else.
    """
    default = parameter.default
    if isinstance(default, str):
        return str(value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise UserError(f"{what}={value}: give true or false")
    elif isinstance(default, int | float):
        # A default like 25 may stand for any number, which only the annotation says.
        whole = isinstance(default, int) and parameter.annotation not in (float, "float")
        if isinstance(value, bool | str) or (whole and value % 1):
            raise UserError(f"{what}={value}: give a {'whole ' if whole else ''}number")
        return int(value) if whole else value
    elif default is not None and default is not parameter.empty:
        raise UserError(
            f"{what} cannot be set here: its default is {default!r}, and options are numbers, texts, "
            "or true or false"
        )
    return value


def _construct(kind: type, spec: Spec, **fixed: Any) -> Any:
    accepted = inspect.signature(kind).parameters
    choices = [
        key
        for key, one in accepted.items()
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) and key not in fixed
    ]
    for key in spec.options:
        if key not in choices:
            raise UserError(
                unknown(f"option of {spec.name}", key, choices)
                if choices
                else f"{spec.name} takes no options, but '{key}' was given"
            )
    options = {
        key: _fitting(f"{spec.name}:{key}", value, accepted[key])
        for key, value in spec.options.items()
    }
    try:
        return kind(**fixed, **options)
    except Exception as error:
        if spec.options and isinstance(error, ValueError):
            # Constructors refuse values of options so.
            why = " ".join(str(error).split()) or "an option has a wrong value"
            raise UserError(f"{spec}: {why}") from error
        raise JobError(f"{spec} cannot be constructed: {one_line(error)}") from error
