"""Preloaded by the workers of a test cluster, restarted ones too: cuts files as finely as the test's own process does."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scored import small_pieces

small_pieces(pytest.MonkeyPatch())
