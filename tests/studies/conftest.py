"""Studies are tried on the same planted rows as what they are made of."""

from tests.analysis.conftest import plant

__all__ = ["plant"]
