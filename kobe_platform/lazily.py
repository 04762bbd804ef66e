"""Loads a module of a package when one of its names is first used, so that a command starts quickly (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module


def attribute(package: str, rooms: Mapping[str, Iterable[str]], name: str) -> object:
    """A name that a package gives out, from the module that defines it; kept in the package from then on.

    Args:
        rooms: module of the package → the names that it defines.

    Raises:
        AttributeError: the package gives out no such name.
    """
    for room, names in rooms.items():
        if name in names:
            found = getattr(import_module(f"{package}.{room}"), name)
            setattr(sys.modules[package], name, found)
            return found
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
