"""Finding methods, networks, data sets and tasks by name.

Each kind of extension has an entry point group; an entry names a package or module whose files register themselves
when they are imported. A new file in ``baselines/`` is therefore found without any list of names, and so is a
package of a third party that declares the same entry point group.
"""

import difflib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownNameError(KeyError):
    """A name that is not registered; the message lists the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        suggestion = f"did you mean {' or '.join(map(repr, near))}?"
        hint = suggestion if near else f"choose from {', '.join(known) or 'nothing'}"
        super().__init__(f"unknown {kind} {name!r}: {hint}")

    def __str__(self) -> str:
        return str(self.args[0])


class Registry(Mapping[str, T], Generic[T]):
    """The extensions of one kind by name; loads its entry point group on first use.

    Args:
        kind: What is registered, for messages: ``"method"``.
        group: The entry point group that is loaded: ``"slkd_bench.methods"``.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._entries: dict[str, T] = {}
        self._origins: dict[str, str] = {}
        self._is_loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Returns a decorator that files an entry under ``name`` (``[a-z0-9_]+``, by convention its file's name)."""
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise ValueError(f"{self.kind} name {name!r}: expected lower-case letters, digits and underscores")
        origin = str(sys._getframe(1).f_globals["__name__"])

        def add(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice: {self._entries[name]!r} and {entry!r}")
            self._entries[name] = entry
            self._origins[name] = origin
            return entry

        return add

    def load(self, module: str) -> list[str]:
        """Imports a module or package by its dotted path, and returns the names that it has registered.

        Raises:
            ValueError: It cannot be imported, or it registers nothing.
        """
        before = self._loaded().copy()
        if not all(map(str.isidentifier, module.split("."))):
            raise ValueError(
                f"{self.kind} {module!r}: expected the dotted path of a module, such as my_package.my_method"
            )
        try:
            self._import(module)
        except ModuleNotFoundError as error:
            hint = "give the dotted path of a module that Python finds from here, such as my_package.my_method"
            raise ValueError(f"{self.kind} {module!r}: {error}; {hint}") from error
        new = [name for name in self._entries if name not in before]
        inside = f"{module}."
        names = new or [n for n, entry in before.items() if f"{getattr(entry, '__module__', '')}.".startswith(inside)]
        if not names:
            raise ValueError(f"{self.kind} {module!r}: the module registers no {self.kind}")
        return names

    def resolve(self, names: Iterable[str]) -> list[str]:
        """Names as they are registered: those that have a dot are modules, which are imported."""
        return [found for name in names for found in (self.load(name) if "." in name else [name])]

    def origin(self, name: str) -> str:
        """The module that registered an entry."""
        self[name]
        return self._origins[name]

    def __getitem__(self, name: str) -> T:
        entries = self._loaded()
        if name not in entries:
            raise UnknownNameError(self.kind, name, entries)
        return entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._loaded()))

    def __len__(self) -> int:
        return len(self._loaded())

    def _loaded(self) -> dict[str, T]:
        if not self._is_loaded:
            for point in entry_points(group=self.group):
                self._import(point.value)
            self._is_loaded = True
        return self._entries

    @staticmethod
    def _import(name: str) -> None:
        """Imports a module, and the modules inside it where it is a package."""
        module = import_module(name)
        for found in pkgutil.iter_modules(getattr(module, "__path__", [])):
            import_module(f"{module.__name__}.{found.name}")
