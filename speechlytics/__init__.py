"""Find the calls in which the customer's question was left hanging, with SQL and evidence."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
