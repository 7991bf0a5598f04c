"""Dependencies point one way: no folder or module at the top imports, over others, itself.

What a function imports when it is called counts; what only annotations need does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from benchmark.registry.digest import OWN, ROOT

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in OWN
    for path in (ROOT / package).rglob("*.py")
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yields the modules that are imported anywhere but for annotations."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module
        yield from imported(node)


def place(module: str) -> str:
    """Returns the folder below ``benchmark``, or the module there; methods and baselines are one."""
    package, *inside = module.split(".")
    return inside[0] if package == "benchmark" and inside else package


def graph() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        theirs = (one for one in imported(ast.parse(path.read_text())) if one.split(".")[0] in OWN)
        found.setdefault(place(module), set()).update(map(place, theirs))
    return {name: needs - {name} for name, needs in found.items()}


def test_dependencies_between_folders_point_one_way():
    found = graph()
    assert {"planning", "report", "methods", "plan"} <= {*found}
    try:
        order = [*TopologicalSorter(found).static_order()]
    except CycleError as error:
        raise AssertionError(" needs ".join(reversed(error.args[1]))) from None
    # What reads the graph wrongly would find no way at all.
    assert order.index("errors") < order.index("store") < order.index("plan") < order.index("cli")


def test_an_import_inside_a_function_counts_and_one_for_annotations_does_not():
    code = (
        "if TYPE_CHECKING:\n    import benchmark.plan\n"
        "def late():\n    from benchmark import store\n"
    )
    assert [*imported(ast.parse(code))] == ["benchmark.store"]
