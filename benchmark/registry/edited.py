"""Method files that are edited while a process uses them, as in a notebook. Imports no torch."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmark.registry.digest import beside, code_digest, known_digest

_known: dict[Path, str] = {}
"""The code of method files as it was when they were last asked for."""


def reread(file: Path) -> None:
    """Has a method file that changed imported again, with what it imports from beside it.

    Otherwise its first version would go on running, under the key of its first version.

    Args:
        file: The method file, resolved.
    """
    try:
        code, names = code_digest((str(file),), ()), {name for name, _ in beside(file)}
    except (OSError, SyntaxError, ValueError):  # importing it says what is wrong
        code, names = "", set()
    own = f"dialbench_file_{file.stem}"
    if _known.get(file) != code and (file in _known or own in sys.modules):
        for name, module in [*sys.modules.items()]:
            place = Path(getattr(module, "__file__", None) or "")
            if name == own or (name.partition(".")[0] in names and file.parent in place.parents):
                del sys.modules[name]
        known_digest.cache_clear()
    _known[file] = code
