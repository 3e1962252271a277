"""Makes the shared cohorts importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
