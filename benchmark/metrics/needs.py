"""Which imported networks the values of metrics come from. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.external import KINDS
from benchmark.metrics import records
from benchmark.store import IMPORTED, Store


def needed(metrics: Sequence[str], store: Store) -> dict[str, str]:
    """Returns, by metric, the hash of the imported network that it needs, where that is there."""
    found = {}
    for kind in {kind for one in metrics if (kind := records.get(one).imported)}:
        stage = store.read_stage(IMPORTED + KINDS[kind].method)
        if stage is not None:
            found |= {
                one: stage.weights_sha256 for one in metrics if records.get(one).imported == kind
            }
    return found
