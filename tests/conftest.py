"""The same examples on every run; ``--hypothesis-profile=explore`` looks further."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", derandomize=True, database=None)
settings.register_profile("explore", max_examples=1000)
settings.load_profile("steady")
