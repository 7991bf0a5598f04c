"""The one name of what was run: boards count entries of other names as other methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.registry.spec import plain

if TYPE_CHECKING:
    from benchmark.tasks import Task


def names(method: str, file: str | None, backbone: str, task: Task) -> dict[str, str]:
    """Returns ``method`` and ``backbone`` without options at their default, and the ``paper``.

    Args:
        method: Specification of the method.
        file: The file that it is in, if it is not one of ours.
        backbone: Specification of the backbone.
        task: The task.

    Raises:
        UserError, JobError: If one of them cannot be constructed.
    """
    from benchmark.build import create_backbone, create_method

    made = create_method(method, Path(file) if file else None)
    return {
        "method": plain(method, type(made)),
        "backbone": plain(backbone, type(create_backbone(backbone, task.scale))),
        "paper": str(getattr(made, "paper", "")),
    }
