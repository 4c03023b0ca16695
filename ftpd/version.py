"""The version of this release.

Apart from the package itself, which stands above everything that has to say it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["__version__"]

__version__: Final = "0.1.0"
