"""Figures as files for papers, and as SVG within a page of a light and a dark theme."""

import io
import logging
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import matplotlib

from bench.figures.drawing import STYLE, Drawing

logging.getLogger("fontTools").setLevel(logging.WARNING)  # which tells of every table of a font that it leaves out
SVG = "http://www.w3.org/2000/svg"
HREF = "{http://www.w3.org/1999/xlink}href"
ET.register_namespace("", SVG)
LARGEST = 1.5
"""How much wider than in print a figure gets within a page."""


def files(folder: Path, drawings: Iterable[Drawing]) -> dict[Path, bytes]:
    """Every drawing as SVG and PDF, by path: the same bytes for the same drawing."""
    found: dict[Path, bytes] = {}
    for drawing in drawings:
        found[folder / f"{drawing.name}.svg"] = ET.tostring(_svg(drawing), encoding="utf-8", xml_declaration=True)
        found[folder / f"{drawing.name}.pdf"] = _encode(drawing, "pdf", {"Title": drawing.title, "CreationDate": None})
    return found


def inline_svg(drawing: Drawing) -> str:
    """The drawing for a page: without a background, and what is black in the colour of the page's text.

    It is as wide as what it stands in, up to `LARGEST` times its width in print. Its ids begin with its name.
    """
    root = _svg(drawing)
    wide = root.get("viewBox", "").split()[2]
    root.attrib |= {"width": "100%", "style": f"max-width: {LARGEST * float(wide):.0f}pt", "fill": "currentColor"}
    del root.attrib["height"]
    for element in root.iter():
        if style := element.get("style"):
            element.set("style", style.replace("#000000", "currentColor"))
    return ET.tostring(root, encoding="unicode")


def _svg(drawing: Drawing) -> ET.Element:
    """The drawing as matplotlib writes it, with a title and a description, and with nothing that reaches outside."""
    root = ET.fromstring(_encode(drawing, "svg", dict.fromkeys(("Date", "Creator", "Format", "Type"))))
    for definitions in root.findall(f"{{{SVG}}}defs"):
        if definitions.find(f"{{{SVG}}}style") is not None:
            root.remove(definitions)  # its rule would hold for the whole page
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}  # what the rule said
    for element in root.iter():
        _own_ids(element, drawing.name)
    root.attrib |= {"role": "img", "aria-labelledby": f"{drawing.name}-title {drawing.name}-desc"}
    for place, (tag, text) in enumerate({"title": drawing.title, "desc": drawing.caption}.items()):
        element = ET.Element(f"{{{SVG}}}{tag}", {"id": f"{drawing.name}-{tag}"})
        element.text = text
        root.insert(place, element)
    return root


def _own_ids(element: ET.Element, name: str) -> None:
    """Puts the drawing's name before an element's id and the ids that it refers to."""
    if HREF in element.attrib:
        element.set("href", element.attrib.pop(HREF))
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        else:
            element.set(key, re.sub(r"^#|(?<=url\()#", f"#{name}-", value))


def _encode(drawing: Drawing, format_: str, metadata: dict[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        drawing.figure.savefig(buffer, format=format_, transparent=True, metadata=metadata)
    return buffer.getvalue()
