"""YAML files that people write: plain values, each of which is said once."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

NO_TAGS = "tags (!...), anchors (&...) and aliases (*...) are not taken; write the value out"


class PlainLoader(yaml.SafeLoader):
    """Reads YAML whose keys are given once, without tags and anchors.

    Tags can stand for any Python object, and anchors let a file of a few lines grow beyond any memory ("billion
    laughs"); a key that is there twice has one value that is ignored.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuses tags and anchors where a node begins."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(problem=NO_TAGS, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses the second of two equal keys."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            ((twice, _),) = Counter(self.construct_object(key) for key, _ in node.value).most_common(1)
            raise yaml.MarkedYAMLError(problem=f"the key {twice!r} is there twice", problem_mark=node.start_mark)
        return mapping


def read_yaml(path: Path) -> Any:
    """The values in a file of plain YAML.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not plain YAML; the message names the file and, where it can be told, the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """The values in a text of plain YAML.

    Raises:
        ValueError: It is not plain YAML; the message names the source.
    """
    try:
        return yaml.load(text, PlainLoader)
    except RecursionError as error:
        raise ValueError(f"{source}: not YAML that can be read: its values are nested too deeply") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: such as a 13th month
        raise ValueError(f"{source}: not YAML: {error}") from error
