"""``python -m speechlytics`` is the same as ``speechlytics``."""

from __future__ import annotations

from speechlytics.cli import main

if __name__ == "__main__":
    main()
