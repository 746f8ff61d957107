"""Which code a number depends on: a digest of every definition that a computation can reach.

Source is compared as syntax, so comments, formatting and docstrings do not count, nor do the texts of errors, log
messages and citations; a changed constant does. Definitions are followed from one to the next by name, through imports,
within the packages of the roots; other packages are told by their versions, in a record's provenance.
"""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PLUMBING = (
    "bench.atomic",
    "bench.checkpoint",
    "bench.config",
    "bench.datasets.stamps",
    "bench.faults",
    "bench.parts",
    "bench.record",
    "bench.registry",
    "bench.stamps",
    "bench.values",
)
"""Modules that find, configure and store, but compute no number: what they decide is compared by value."""

CITATIONS = ("Reference", "Published")
"""Calls that say what was published elsewhere."""

PARTS = ("in_parts", "mean_over_batch", "whole_batch")
"""By which ranks share a batch, a decorator and functions (`bench.parts`): in one process they change nothing."""

DIGITS = 12
"""Hexadecimal digits that are kept of a digest: the chance that an edit goes unnoticed is one in 10^14."""


class Definition(NamedTuple):
    """A name of a module, or the module's statements without a name (``<module>``)."""

    module: str
    name: str


UNNAMED = "<module>"


Roots = tuple[Callable[..., Any] | Definition, ...]
"""Where a computation begins: functions, classes, or definitions by place."""


def fingerprint(*roots: Callable[..., Any] | Definition) -> dict[str, str]:
    """Digests of the code that some functions and classes depend on.

    Args:
        roots: Functions, classes, or definitions by place.

    Returns:
        By module, the digest of its definitions that are reached, in the order of the modules' names.
    """
    return dict(_fingerprint(frozenset(_place(root) for root in roots)))


def _place(root: Callable[..., Any] | Definition) -> Definition:
    return root if isinstance(root, Definition) else Definition(root.__module__, root.__qualname__)


@cache
def _fingerprint(roots: frozenset[Definition]) -> dict[str, str]:
    packages = {"bench", *(root.module.partition(".")[0] for root in roots)}
    reached: set[Definition] = set()
    waiting = list(roots)
    while waiting:
        place = waiting.pop()
        is_ours = place.module.partition(".")[0] in packages and place.module not in PLUMBING
        if is_ours and place not in reached:
            reached.add(place)
            waiting += _uses(place)
    modules: dict[str, list[str]] = {}
    for place in sorted(reached):
        modules.setdefault(place.module, []).extend(_digests(place))
    return {module: _digest(digests) for module, digests in sorted(modules.items()) if digests}


@cache
def _uses(place: Definition) -> tuple[Definition, ...]:
    return tuple(dict.fromkeys(_source(place.module).uses(place.name)))


@cache
def _digests(place: Definition) -> tuple[str, ...]:
    return tuple(_source(place.module).digests(place.name))


@cache
def _source(module: str) -> "Source":
    return Source(module)


class Source:
    """The definitions of a module.

    Args:
        module: Its dotted name; one that has no source, such as a name inside a module, has no definitions.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._statements: dict[str, list[ast.stmt]] = {}
        spec = _spec(module)
        if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
            return
        path = Path(str(spec.origin))
        self._package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
        for statement in ast.parse(path.read_bytes()).body:
            if not _is_silent(statement):
                for name in _names(statement) or [UNNAMED]:
                    self._statements.setdefault(name, []).append(statement)

    def uses(self, name: str) -> Iterator[Definition]:
        """What a definition refers to; the module's statements without a name, which may register it, are among it."""
        if self._statements and name != UNNAMED:
            yield Definition(self._module, UNNAMED)
        name = name.partition(".")[0]  # a nested class or a method stands for the definition that holds it
        for statement in self._statements.get(name, ()):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name):
                    yield Definition(self._module, node.id)
                elif isinstance(node, ast.Attribute):
                    yield from self._attribute(node)
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    wanted = None if statement is not node else name
                    yield from self._imported(node, wanted)

    def digests(self, name: str) -> Iterator[str]:
        """Digests of the statements of a definition; an import has none, what it leads to has."""
        for statement in self._statements.get(name.partition(".")[0], ()):
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                yield _digest(_canonical(statement))

    def _attribute(self, node: ast.Attribute) -> Iterator[Definition]:
        """What ``alias.name`` means where ``alias`` is a module that was imported."""
        if isinstance(node.value, ast.Name):
            for statement in self._statements.get(node.value.id, ()):
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    for module in self._imported(statement, node.value.id):
                        inside = module.module if module.name == UNNAMED else f"{module.module}.{module.name}"
                        yield Definition(inside, node.attr)

    def _imported(self, node: ast.Import | ast.ImportFrom, wanted: str | None) -> Iterator[Definition]:
        """What an import statement makes known, under one name or under any."""
        for alias in node.names:
            if wanted not in (None, alias.asname or alias.name.partition(".")[0]):
                continue
            if isinstance(node, ast.Import):
                yield Definition(alias.name, UNNAMED)
                continue
            module = node.module or ""
            if node.level:
                parents = self._package.split(".")
                module = ".".join([*parents[: len(parents) + 1 - node.level], *filter(None, [module])])
            yield Definition(module, alias.name)


def _spec(module: str) -> Any:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None


def _names(statement: ast.stmt) -> list[str]:
    """The names that a statement of a module binds."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        case ast.If() | ast.Try():
            parts = [*statement.body, *statement.orelse]
            parts += [inner for handler in getattr(statement, "handlers", ()) for inner in handler.body]
            return [name for part in parts for name in _names(part)]
    return []


def _is_silent(statement: ast.AST) -> bool:
    """Whether a statement computes nothing: a text by itself, a log message, imports for type checkers."""
    if isinstance(statement, ast.If):
        return isinstance(statement.test, ast.Name) and statement.test.id == "TYPE_CHECKING"
    if not isinstance(statement, ast.Expr):
        return False
    call = statement.value
    is_logging = (
        isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "log"
    )
    return is_logging or isinstance(call, ast.Constant)


def _is_part(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in PARTS


def _decorators(written: list[ast.expr]) -> list[ast.expr]:
    return [decorator for decorator in written if not _is_part(decorator)]


def _canonical(node: Any) -> Any:
    """Syntax as nested lists, the same for all versions of Python, without what computes nothing."""
    if isinstance(node, list):
        return [_canonical(item) for item in node if not _is_silent(item)]
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return ["Raise", _canonical(node.exc.func)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CITATIONS:
        return [node.func.id]
    if isinstance(node, ast.Call) and _is_part(node.func):
        return _canonical(node.args[0])
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if name not in ("ctx", "kind", "type_comment"))
        written = ((name, _decorators(value) if name == "decorator_list" else value) for name, value in fields)
        return [type(node).__name__, *([name, _canonical(value)] for name, value in written if value not in (None, []))]
    return repr(node)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:DIGITS]
