"""What a data set has of one scene, and which two files belong together by their names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from os.path import commonpath
from pathlib import Path
from typing import NamedTuple

from bench.datasets.images import natural_order
from bench.datasets.pictures import ImageFile, Picture

# The words by which published sets tell the two images of a pair apart: `Flower_blur1.png` and `Flower_sharp1.png`.
ROLE_WORDS = re.compile(
    r"(?<![a-z])(degraded|clean|input|target|rainy?|norain|blur|sharp|noisy|real|mean|gt|hazy|clear)(?![a-z])",
    re.IGNORECASE,
)


class Item(NamedTuple):
    """What a data set has of one scene: a pair; a clean image to be degraded; or a degraded one without its original.

    Attributes:
        name: Names the item in tables: its file's place below the set's folder, without the extension.
    """

    name: str
    degraded: Picture | None
    clean: Picture | None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those of the two that are there."""
        return tuple(picture for picture in (self.degraded, self.clean) if picture)


def named(items: Iterable[Item]) -> list[Item]:
    """Gives items their names, the place of their first file, and puts them in natural order.

    Raises:
        ValueError: Two items have one name.
    """
    found = list(items)
    if not found:
        return []
    paths = [item.pictures[0].path for item in found]
    base = base_folder(paths)
    names = [path.relative_to(base).with_suffix("").as_posix() for path in paths]
    first: dict[str, int] = {}
    for k, name in enumerate(names):
        if first.setdefault(name, k) != k:
            raise ValueError(f"{paths[first[name]]} and {paths[k]} would both be called {name!r}; remove one")
    order = sorted(range(len(found)), key=lambda k: natural_order(names[k]))
    return [found[k]._replace(name=names[k]) for k in order]


def pair_by_stem(degraded: Sequence[Path], clean: Sequence[Path]) -> list[Item]:
    """Pairs files by equal stems, else by stems that are equal but for a role word.

    Raises:
        ValueError: A file has no partner, or could have two.
    """
    first, second = ({path.stem: path for path in paths} for paths in (degraded, clean))
    if first.keys() != second.keys():
        first, second = (_by_shared_stem(paths) for paths in (degraded, clean))
    lonely = first.keys() ^ second.keys()
    refuse_lonely([pool[key] for pool in (first, second) for key in pool if key in lonely])
    return [Item(second[key].stem, ImageFile(first[key]), ImageFile(second[key])) for key in second]


def _by_shared_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """Files by the part of the stem that both images of a pair share."""
    keyed: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        keyed[ROLE_WORDS.sub("*", path.stem)].append(path)
    for same in keyed.values():
        if len(same) > 1:
            raise ValueError(f"{same[0]} and {same[1]} could both belong to the same partner; rename them")
    return {key: same[0] for key, same in keyed.items()}


def refuse_lonely(paths: Sequence[Path]) -> None:
    """Refuses files that have no partner.

    Raises:
        ValueError: There are any; the message names them.
    """
    if paths:
        raise ValueError(f"{len(paths)} image(s) without a partner: {shown(paths)}; complete the set or remove them")


def base_folder(paths: Iterable[Path]) -> Path:
    """The deepest folder that holds all of these files."""
    return Path(commonpath([path.parent for path in paths]))


def shown(paths: Sequence[Path]) -> str:
    """A few paths for a message."""
    return ", ".join(map(str, paths[:5])) + (", ..." if len(paths) > 5 else "")
