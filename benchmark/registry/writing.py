"""Code as text that says the same under every Python, without what does not count.

This module imports no torch.
"""

from __future__ import annotations

import ast
import copy
import sys

QUOTES = ("'", '"', '"""', "'''")
"""What Python 3.11 puts around f-strings, the first that it can."""


def written(node: ast.AST) -> str:
    """Returns code as Python 3.11 writes it, whatever Python this is.

    But for formats that hold a quote or an escape (``f'{x:"}'``), of which we have none.
    """
    if sys.version_info < (3, 12) or not any(
        isinstance(one, ast.JoinedStr) for one in ast.walk(node)
    ):
        return ast.unparse(node)
    return ast.unparse(Requoted().visit(copy.deepcopy(node)))


class Requoted(ast.NodeTransformer):
    """Puts f-strings into quotes that do not occur inside them; from 3.12 on Python no longer does."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """Returns a name that reads as the f-string."""
        self.generic_visit(node)
        parts, quotes = [], list(QUOTES)
        for value in node.values:
            text = ast.unparse(ast.JoinedStr([value]))[1:]
            width = 3 if text[:3] in QUOTES[2:] else 1
            parts.append(part := text[width:-width])
            free = [
                one for one in quotes if one not in part and (len(one) == 3 or "\n" not in part)
            ]
            quotes = sorted(free, key=lambda one: one[0] == part[-1:])
        if not quotes:
            return node
        return ast.Name(f"f{quotes[0]}{''.join(parts)}{quotes[0]}")

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.FormattedValue:
        """Returns the value with f-strings inside it written; what says its format is none itself."""
        node.value = self.visit(node.value)
        if isinstance(node.format_spec, ast.JoinedStr):
            self.generic_visit(node.format_spec)
        return node


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Returns a tree without docstrings and other bare strings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [one for one in body if not _is_text(one)]
            body[:] = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
