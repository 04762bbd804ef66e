"""A module of the auditor with one line changed, put wherever the auditor names what it defines."""

from __future__ import annotations

import importlib
import inspect
import sys
import types

PACKAGE = "kobe_platform.disclosure.auditor"


def mutate(room: str, line: str, instead: str, monkeypatch) -> None:
    """Change a line that stands once in the source of ``auditor.room``, until the test ends."""
    module = importlib.import_module(f"{PACKAGE}.{room}")
    source = inspect.getsource(module)
    assert source.count(line) == 1, "the mutant's line is not in the source once"
    replace(module, compile(source.replace(line, instead), module.__file__ or "", "exec"), monkeypatch)


def replace(module: types.ModuleType, code: types.CodeType, monkeypatch) -> None:
    """Put a changed module's functions and classes wherever the auditor names those of the original."""
    mutant = types.ModuleType(module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, mutant)
    exec(code, mutant.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    users = [found for name, found in list(sys.modules.items()) if name.startswith(f"{PACKAGE}.")]
    for name, original in list(vars(module).items()):
        if getattr(original, "__module__", "") != module.__name__ or name not in mutant.__dict__:
            continue
        for user in users:
            if vars(user).get(name) is original:
                monkeypatch.setattr(user, name, mutant.__dict__[name])
