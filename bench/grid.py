"""The grid that a command line, or a record, asks for: its parameters, and where its files live."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from bench.cell import Workspace, dataset_name
from bench.config import DEFAULT_PROFILE, Params, TeacherKind, load_params
from bench.plain_yaml import parse_yaml
from bench.record import find_records, read_cell
from bench.registry import UnknownNameError


def key_and_value(option: str, setting: str, example: str) -> tuple[str, Any]:
    """The two sides of ``KEY=VALUE``; the value is YAML.

    Raises:
        ValueError: It is not of that form; the message has the example.
    """
    key, equals, value = setting.partition("=")
    if not equals:
        raise ValueError(f"{option} {setting}: expected KEY=VALUE, such as {example}")
    return key, parse_yaml(value, f"{option} {setting}")


def profile_params(profile: str | None, params_file: Path | None) -> tuple[str, Path]:
    """The name and the file of the chosen parameters.

    Raises:
        ValueError: Both are given, or there is no such profile; the message names the nearest ones.
    """
    profiles = {path.stem: path for path in sorted(Path("configs").glob("*.yaml"))}
    profiles[DEFAULT_PROFILE] = Path("params.yaml")
    if params_file is not None:
        if profile is not None:
            raise ValueError("--profile and --params were both given; choose one of them")
        is_default = params_file.resolve() == profiles[DEFAULT_PROFILE].resolve()
        return DEFAULT_PROFILE if is_default else params_file.stem, params_file
    if (profile or DEFAULT_PROFILE) not in profiles:
        raise UnknownNameError("profile", str(profile), profiles)
    return profile or DEFAULT_PROFILE, profiles[profile or DEFAULT_PROFILE]


def open_grid(
    profile: str | None,
    params_file: Path | None,
    data_root: Path | None = None,
    test_root: Path | None = None,
    results: Path | None = None,
    settings: Sequence[str] = (),
) -> tuple[Params, Workspace]:
    """Reads the parameters and decides where their files live.

    Raises:
        ValueError: The parameters are invalid, or the options contradict one another.
        FileNotFoundError: There is no such params file.
    """
    name, path = profile_params(profile, params_file)
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, value = key_and_value("--set", setting, "train.steps=100")
        overrides[key] = value
    scored_on = ""
    if data_root is not None:
        overrides["data_root"] = data_root
        name = f"{name}_{dataset_name(data_root)}"
    if test_root is not None:
        overrides["test_root"] = test_root
        scored_on = dataset_name(test_root)
    if settings and results is None:
        raise ValueError("--set changes the grid: name a results folder of its own with --results")
    given = {"--profile": profile, "--params": params_file, "--data-root": data_root, "--test-root": test_root}
    options = [part for option, value in (given | {"--results": results}).items() if value for part in (option, value)]
    options += [part for setting in settings for part in ("--set", setting)]
    workspace = replace(Workspace.of(name, results, scored_on), options=tuple(map(str, options)))
    return load_params(path, overrides), workspace


def open_told(options: Sequence[str]) -> tuple[Params, Workspace]:
    """The grid of a record, by the options that it tells: each is followed by its value."""
    given = list(zip(options[::2], options[1::2], strict=True))
    values = dict(given)
    paths = {name: Path(value) for name, value in values.items() if name not in ("--profile", "--set")}
    return open_grid(
        values.get("--profile"),
        paths.get("--params"),
        paths.get("--data-root"),
        paths.get("--test-root"),
        paths.get("--results"),
        [value for name, value in given if name == "--set"],
    )


def open_recorded(
    cell: str, profile: str | None, params_file: Path | None, results: Path | None
) -> tuple[list[Path], Params, Workspace]:
    """The records of a cell, and the grid that they tell; of records that do not tell, that of the options.

    Args:
        cell: A cell such as ``denoising/nafnet/seed0/slkd``, or a record of one, or the folder of its records.
        profile: As `open_grid` takes it; this and what follows.
        params_file: Likewise.
        results: Likewise.

    Raises:
        FileNotFoundError: There are no records.
    """
    grid, workspace = open_grid(profile, params_file, results=results)
    paths = find_records(cell, workspace.results)
    told = read_cell(paths[0]).run.provenance.get("options")
    return paths, *((grid, workspace) if told is None else open_told(told))


def with_methods(grid: Params, wanted: Sequence[str]) -> tuple[Params, list[str]]:
    """The grid with the methods of other packages, and the names of the methods that are wanted.

    Args:
        grid: The grid.
        wanted: Names of the grid's methods, or dotted paths of modules that register a method, which join the grid.

    Raises:
        ValueError: A module cannot be imported, or registers no method.
    """
    if not any("." in name for name in wanted):
        return grid, list(wanted)
    from bench.distiller import METHODS

    joining = METHODS.resolve(name for name in wanted if "." in name)
    methods = tuple(dict.fromkeys((*grid.methods, *joining)))
    return grid.model_copy(update={"methods": methods}), METHODS.resolve(wanted)


def with_teachers(grid: Params, teacher: Sequence[str]) -> Params:
    """The same grid with other teachers to ask.

    Raises:
        UnknownNameError: There is no such kind of teacher.
    """
    for name in teacher:
        if name not in get_args(TeacherKind):
            raise UnknownNameError("kind of teacher", name, get_args(TeacherKind))
    return grid.model_copy(update={"teacher": tuple(teacher)})
