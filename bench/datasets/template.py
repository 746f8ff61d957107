"""Finding image files by a template of their paths.

A template is a path with names in braces for what varies, such as ``rainy_image/{scene}_{variant}.jpg``. A name stands
for the shortest text without a slash that fits, and for the same text wherever it appears. The extension is that of the
official files; images converted to another format are found too.
"""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.datasets.images import EXTENSIONS


class File(NamedTuple):
    """A file that fits a template, with the text behind each of its names."""

    path: Path
    fields: Mapping[str, str]


def find_files(root: Path, template: str) -> list[File]:
    """Finds the images below a folder whose paths fit a template; hidden files are passed over.

    Folders are entered as deep as the template goes and no deeper, so that no loop of links can be followed for ever.

    Raises:
        ValueError: A link leads nowhere, or two files have one name but for case or extension.
    """
    files = list(_descend(root, template.split("/"), {}))
    unique((file.path.with_suffix("").as_posix().casefold(), file.path) for file in files)
    return files


def is_file(path: Path) -> bool:
    """Whether there is a file.

    Raises:
        ValueError: There is a link that leads nowhere.
    """
    if path.is_file():
        return True
    if path.is_symlink() and not path.exists():
        raise ValueError(f"{path}: a symbolic link that leads nowhere or to itself; mend or remove it")
    return False


def template_names(template: str) -> list[str]:
    """The names in braces, in order of appearance."""
    return list(dict.fromkeys(re.findall(r"{(\w+)}", template)))


def _descend(folder: Path, segments: Sequence[str], fields: Mapping[str, str]) -> Iterator[File]:
    """Walks one segment of the template deeper."""
    segment, *rest = segments
    if not folder.is_dir():
        return
    if rest and "{" not in segment:
        yield from _descend(folder / segment, rest, fields)
        return
    pattern = _pattern(segment, fields, is_file=not rest)
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        match = None if path.name.startswith(".") else pattern.fullmatch(path.name)
        if match and rest:
            yield from _descend(path, rest, {**fields, **match.groupdict()})
        elif match and is_file(path):
            yield File(path, {**fields, **match.groupdict()})


def _pattern(segment: str, fields: Mapping[str, str], is_file: bool) -> re.Pattern[str]:
    """The regular expression of one segment; of a file any extension of an image is accepted."""
    stem = segment.rpartition(".")[0] if is_file else segment
    parts, seen = [], set(fields)
    for literal, name in re.findall(r"([^{]*)(?:{(\w+)})?", stem):
        parts.append(re.escape(literal))
        if name in fields:
            parts.append(re.escape(fields[name]))
        elif name:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)")
            seen.add(name)
    extensions = "|".join(re.escape(extension) for extension in sorted(EXTENSIONS))
    return re.compile("".join(parts) + (f"(?i:{extensions})" if is_file else ""))


def unique(pairs: Iterable[tuple[Hashable, Path]]) -> dict[Hashable, Path]:
    """Files by key.

    Raises:
        ValueError: Two files share one.
    """
    by_key: dict[Hashable, Path] = {}
    for key, path in pairs:
        if key in by_key:
            raise ValueError(f"{by_key[key]} and {path} have the same name but for case or extension; remove one")
        by_key[key] = path
    return by_key
