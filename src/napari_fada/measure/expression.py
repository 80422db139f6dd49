"""Formulas as they stand in papers: arithmetic on a few symbols, read from text and checked once.

Nothing but numbers, symbols, ``+ - * / **`` and the functions ln, log10, exp and sqrt is
understood, so a table of formulas is data and never a program.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "ln": math.log,
    "log10": math.log10,
    "exp": math.exp,
    "sqrt": math.sqrt,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """One formula.

    Parameters
    ----------
    text : str
        Like ``9.54 + 1.482*B + 0.1676*B**2``.

    Raises
    ------
    ValueError
        If the text is more than arithmetic.
    """

    text: str
    symbols: frozenset[str] = field(init=False)
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"{self.text!r} is no formula: {error.msg}") from None
        object.__setattr__(self, "_tree", tree)
        object.__setattr__(self, "symbols", frozenset(_symbols(tree)))

    def __call__(self, values: Mapping[str, float]) -> float:
        """Return the value for the given symbols.

        Raises
        ------
        ArithmeticError, ValueError
            Where the formula has no value.
        """
        return _value(self._tree, values)


def _symbols(node: ast.expr) -> set[str]:
    match node:
        case ast.Constant(value=int() | float()):
            return set()
        case ast.Name(id=name):
            return {name}
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _symbols(left) | _symbols(right)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _symbols(operand)
        case ast.Call(func=ast.Name(id=name), args=[one], keywords=[]) if name in _FUNCTIONS:
            return _symbols(one)
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is more than arithmetic")


def _value(node: Any, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return float(values[name])
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, values)
        case _:
            return _FUNCTIONS[node.func.id](_value(node.args[0], values))
