"""Studies that the papers make, one file each: ``dialbench analyze NAME``.

A study is found by its file: ``filter_similarity.py`` holds ``STUDY``, which is called
``filter-similarity``. No file here imports torch before its tables are computed.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.errors import UserError, unknown
from benchmark.studies.study import Part, Study

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from benchmark.plan import Plan
    from benchmark.store import Store

__all__ = ["get", "listing", "names", "perform"]

FORM = ("drawing", "study")
"""Modules here that are no studies: what they share."""


def names() -> list[str]:
    """Returns the names of all studies."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in found if name not in FORM)


def get(name: str) -> Study:
    """Returns a study by name.

    Raises:
        UserError: If there is no such study.
    """
    if name not in names():
        raise UserError(unknown("study", name, names()))
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").STUDY


def listing() -> str:
    """Returns one line per study."""
    lines = []
    for name in names():
        study = get(name)
        lines.append(f"{name:<18} {study.summary} ({study.source}; task {study.task})")
    return "\n".join(lines)


def inspect(name: str, plan: Plan, store: Store) -> None:
    """Looks at the methods of a study before anything is trained for it.

    Raises:
        UserError: If the study cannot show one of them.
    """
    part, refuses = Part(plan, store), get(name).refuses
    for method, built in part.untrained.items() if refuses else ():
        if reason := refuses(built, part.task):
            raise UserError(f"{method}: {reason}; leave it out of --methods")


def perform(name: str, plans: Sequence[Plan], store: Store) -> tuple[Path, pd.DataFrame]:
    """Writes a study's tables (csv), figure (svg, png) and facts (about.json).

    Args:
        name: The study.
        plans: What it asked for, trained and scored.
        store: Where everything is kept.

    Returns:
        The folder, and the first table.

    Raises:
        JobError: If what it needs is not stored, or a file cannot be written.
    """
    from benchmark import records
    from benchmark.report import style

    study, parts = get(name), [Part(plan, store) for plan in plans]
    task = parts[0].task
    tables = study.tables(parts)
    folder = store.home / "studies" / name / task.name
    about = [part.facts(not study.own_levels) for part in parts]
    facts = {"study": name, "source": study.source, "parts": about}
    records.write(folder / "about.json", json.dumps(facts, indent=1).encode())
    for stem, table in tables.items():
        blob = table.to_csv(index=False, lineterminator="\n").encode()
        records.write(folder / f"{stem}.csv", blob)
    # Last, as a figure that cannot be drawn loses no table; an old one would be of other tables.
    for old in folder.glob("figure.*"):
        old.unlink(missing_ok=True)
    with style.drawing(name):
        figures = style.files(study.draw(tables, task))
    for suffix, blob in figures.items():
        records.write(folder / f"figure.{suffix}", blob)
    return folder, next(iter(tables.values()))
