"""A seeded stream of plausible card use with honest fraud in it.

``generate`` is the whole of it: profiles first, then transactions and labels in the order of a
logical clock. The same options give the same bytes, in any process. What is fraud is told by labels
alone, later; nothing in a transaction, its key or its ids gives it away.
"""

from __future__ import annotations

from pipelines.generator.emission import Emission, GeneratorOptions
from pipelines.generator.stream import generate

__all__ = ["Emission", "GeneratorOptions", "generate"]
