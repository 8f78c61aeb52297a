"""One change to a file of code, in its syntax tree: what `mutation.py` tries.

Comparisons, arithmetic, numbers, conditions and what is returned; types and messages are left alone.
"""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any

Place = list[tuple[str, int | None]]
"""Fields and indices from a module down to a node."""

_SWAPS: dict[type[ast.AST], type[Any]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.UAdd: ast.USub,
    ast.USub: ast.UAdd,
}  # fmt: skip


def changed(node: ast.AST) -> ast.AST | None:
    """A node with one change; None for one that is left alone."""
    new: Any = copy.deepcopy(node)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        new.ops = [_SWAPS[type(node.ops[0])]()]
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp) and type(node.op) in _SWAPS:
        new.op = _SWAPS[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        value = node.value
        new.value = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else value * 1.5 + 0.1
    elif isinstance(node, ast.If | ast.IfExp) and not isinstance(node.test, ast.Compare | ast.UnaryOp | ast.BoolOp):
        new.test = ast.UnaryOp(ast.Not(), new.test)
    elif isinstance(node, ast.Return) and node.value is not None:
        none = isinstance(node.value, ast.Constant) and node.value.value is None
        new.value = ast.Constant(0 if none else None)
    else:
        return None
    other: ast.AST = new
    return other


def changes(tree: ast.Module) -> list[Place]:
    """Where something can be changed: paths of fields and indices from the module down.

    Types, messages and what is only for type checkers are left alone.
    """
    found: list[Place] = []

    def visit(node: ast.AST, path: Place) -> None:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("warn", "TypeVar", "cast")):
            return
        if changed(node) is not None:
            found.append(path)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            children: list[tuple[int | None, Any]] = [(None, value)]
            if isinstance(value, list):
                children = list(enumerate(value))
            for index, child in children:
                if isinstance(child, ast.AST):
                    visit(child, [*path, (name, index)])

    visit(tree, [])
    return found


def _at(node: ast.AST, name: str, index: int | None) -> Any:
    child = getattr(node, name)
    return child if index is None else child[index]


def mutated(text: str, number: int, mark: Path) -> tuple[str, str]:
    """A file's text with a change, which makes the file `mark` when its statement runs, and the change in words."""
    tree = ast.parse(text)
    path = changes(tree)[number]
    node: ast.AST = tree
    place: tuple[list[ast.stmt], int] | None = None
    for name, index in path[:-1]:
        if index is not None and isinstance(getattr(node, name)[index], ast.stmt):
            place = getattr(node, name), index
        node = _at(node, name, index)
    name, index = path[-1]
    old: Any = _at(node, name, index)
    new: Any = changed(old)
    assert new is not None
    if index is None:
        setattr(node, name, new)
    else:
        if isinstance(old, ast.stmt):
            place = getattr(node, name), index
        getattr(node, name)[index] = new
    assert place is not None
    once = f"'_run' in globals() or globals().update(_run=open({str(mark)!r}, 'w').close())"
    place[0].insert(place[1], ast.parse(once).body[0])
    words = [ast.unparse(one).splitlines()[0][:70] for one in (old, new)]
    return ast.unparse(ast.fix_missing_locations(tree)), f"line {old.lineno}: {words[0]} → {words[1]}"
