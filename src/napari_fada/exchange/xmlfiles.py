"""Reading XML that others wrote, without letting it do anything."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from napari_fada.errors import ExchangeError


def read_xml(path: Path, max_bytes: int) -> Element:
    """Return the root of an XML file.

    Raises
    ------
    ExchangeError
        If it cannot be read, is broken (with line and column), too large, or holds entities.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise ExchangeError(f"{path.name} is larger than {max_bytes:,} bytes.")
        root: Element = parse(path).getroot()
    except ParseError as error:
        line, column = error.position
        raise ExchangeError(
            f"{path.name} is broken in line {line}, column {column + 1}: {error.msg}."
        ) from error
    except DefusedXmlException as error:
        raise ExchangeError(f"{path.name} holds entities, which labels never do.") from error
    except OSError as error:
        raise ExchangeError(f"{path} cannot be read: {error.strerror or error}.") from error
    return root


def text_of(element: Element, name: str) -> str:
    """Return the text of a child.

    Raises
    ------
    KeyError
        If there is none.
    """
    found = element.findtext(name)
    if found is None:
        raise KeyError(name)
    return found.strip()


def attribute_of(element: Element, name: str) -> str:
    """Return an attribute.

    Raises
    ------
    KeyError
        If there is none.
    """
    found = element.get(name)
    if found is None:
        raise KeyError(name)
    return found
