"""Finds every error code that the source can show, by its syntax trees.

A code is the argument ``code`` of a ``PlatformError``, of a subclass or of what carries its code on. Where that is a
parameter, the calls of the function are followed, over as many functions as it takes; where it is a name, its
assignments. What cannot be followed is named, so that a test can say where those codes come from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("kobe_platform", "assets", "checks", "resources")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
CARRIERS = {"Cause": 0, "InstallationFault": 0, "Fault": 2, "JobOutcome": 0}
"""What shows a code without being an error, with the place of the code among its arguments."""


@dataclass(frozen=True)
class Site:
    """A call with the functions and the module that it stands in, innermost first."""

    call: ast.Call
    around: tuple[ast.AST, ...]
    module: Path


class Source:
    """The product's syntax trees; :meth:`codes` fills ``codes`` (with one place each) and ``open`` (not followed)."""

    def __init__(self, root: Path = ROOT) -> None:
        self.trees = {
            path.relative_to(root): ast.parse(path.read_text(encoding="utf-8"))
            for folder in FOLDERS
            for path in sorted((root / folder).rglob("*.py"))
        }
        self.codes: dict[str, str] = {}
        self.open: set[str] = set()
        for site, given in self._given():
            for value in self._values(given, site, frozenset()):
                self.codes.setdefault(value, f"{site.module}:{site.call.lineno}")

    def passed_to(self, function: str, place: int, module: str) -> set[str]:
        """The literals that a module's calls of ``function`` pass at a place among their arguments."""
        passed = (s.call.args[place] for s in self.calls[function] if s.module == Path(module) and s.call.args[place:])
        return {node.value for node in passed if isinstance(node, ast.Constant)}

    @cached_property
    def calls(self) -> dict[str, list[Site]]:
        """Every call by the last part of the name that is called."""
        found: dict[str, list[Site]] = {}
        for path, tree in self.trees.items():
            for call, around in _calls(tree, ()):
                found.setdefault(_name(call.func), []).append(Site(call, around, path))
        return found

    @cached_property
    def errors(self) -> set[str]:
        """Names of ``PlatformError`` and its subclasses."""
        names = {"PlatformError"}
        classes = [node for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        while grown := {c.name for c in classes if {_name(base) for base in c.bases} & names} - names:
            names |= grown
        return names

    def _given(self) -> Iterator[tuple[Site, ast.expr]]:
        for name in sorted(self.errors | CARRIERS.keys()):
            for site in self.calls.get(name, ()):
                given = [keyword.value for keyword in site.call.keywords if keyword.arg == "code"]
                given += site.call.args[CARRIERS[name] :][:1] if name in CARRIERS else []
                yield from ((site, one) for one in given[:1])

    def _values(self, given: ast.expr, site: Site, seen: frozenset) -> set[str]:
        match given:
            case ast.Constant(value=str(value)):
                return {value}
            case ast.Constant(value=None):
                return set()
            case ast.IfExp(body=body, orelse=orelse):
                return self._values(body, site, seen) | self._values(orelse, site, seen)
            case ast.JoinedStr(values=parts):
                each = [self._values(p.value if isinstance(p, ast.FormattedValue) else p, site, seen) for p in parts]
                return {"".join(chosen) for chosen in product(*each)}
            case ast.Name(id=name):
                return self._named(given, name, site, seen)
        return self._open(given, site)

    def _open(self, given: ast.expr, site: Site) -> set[str]:
        self.open.add(f"{site.module}: {ast.unparse(given)}")
        return set()

    def _named(self, given: ast.expr, name: str, site: Site, seen: frozenset) -> set[str]:
        for scope in (*site.around, *(self.trees.values() if name.isupper() else ())):
            key = (id(scope), name)
            if key in seen:
                return set()
            if isinstance(scope, FUNCTIONS) and name in _parameters(scope):
                return self._passed(scope, name, given, site, seen | {key})
            if assigned := _assigned(scope, name):
                return set().union(*(self._values(value, site, seen | {key}) for value in assigned))
        return self._open(given, site)

    def _passed(self, function: ast.AST, name: str, given: ast.expr, site: Site, seen: frozenset) -> set[str]:
        calls = [
            c for c in self.calls.get(getattr(function, "name", ""), ()) if self._reaches(c, function, site.module)
        ]
        passed = [(argument, call) for call in calls if (argument := _argument(call.call, function, name)) is not None]
        if not passed:
            return self._open(given, site)
        return set().union(*(self._values(argument, call, seen) for argument, call in passed))

    def _reaches(self, site: Site, function: ast.AST, module: Path) -> bool:
        """Whether a call is one of ``function``: of its own module, by an import of it, or of a method of that name."""
        if not _fits(site.call, function):
            return False
        if function not in self.trees[module].body:
            open_name = site.module == module or not function.name.startswith("_")
            return open_name and isinstance(site.call.func, ast.Attribute)
        if site.module == module:
            return isinstance(site.call.func, ast.Name)
        return (".".join(module.with_suffix("").parts), function.name) in self.imports[site.module]

    @cached_property
    def imports(self) -> dict[Path, set[tuple[str | None, str]]]:
        """The names that each module imports from others."""
        return {
            path: {(n.module, a.name) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
            for path, tree in self.trees.items()
        }


def _calls(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[tuple[ast.Call, tuple[ast.AST, ...]]]:
    if isinstance(node, ast.Call):
        yield node, around
    inside = (node, *around) if isinstance(node, (*FUNCTIONS, ast.Module)) else around
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, inside)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _parameters(function: ast.AST) -> list[str]:
    arguments = function.args
    return [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _fits(call: ast.Call, function: ast.AST) -> bool:
    """Whether the arguments of a call are those that a function takes, so that methods of one name are told apart."""
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return True
    takes = function.args
    places = [a.arg for a in (*takes.posonlyargs, *takes.args)]
    places = places[1:] if places[:1] in (["self"], ["cls"]) else places
    needed = places[len(call.args) : len(places) - len(takes.defaults)]
    named = {k.arg for k in call.keywords}
    known = takes.kwarg is not None or named <= {*places, *(a.arg for a in takes.kwonlyargs)}
    return len(call.args) <= len(places) and set(needed) <= named and known


def _argument(call: ast.Call, function: ast.AST, name: str) -> ast.expr | None:
    """What a call passes for a parameter; its default where it passes nothing."""
    only = [a.arg for a in function.args.posonlyargs]
    positional = only + [a.arg for a in function.args.args]
    named = {k.arg: k.value for k in call.keywords if k.arg not in only}
    if name in named:
        return named[name]
    bound = positional[1:] if positional[:1] in (["self"], ["cls"]) else positional
    place = bound.index(name) if name in bound else len(call.args)
    if place < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args[: place + 1]):
        return call.args[place]
    defaults = function.args.defaults
    known = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    known |= {a.arg: d for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d}
    return known.get(name)


def _assigned(scope: ast.AST, name: str) -> list[ast.expr]:
    """What is assigned to a name in a function or at the top of a module."""
    if isinstance(scope, ast.Lambda):
        return []
    found = []
    for node in ast.walk(scope) if isinstance(scope, FUNCTIONS) else scope.body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name) and target.id == name:
                found.append(node.value)
            elif isinstance(target, ast.Tuple):
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value] * len(target.elts)
                pairs = zip(target.elts, values, strict=True)
                found += [value for element, value in pairs if isinstance(element, ast.Name) and element.id == name]
    return found
