"""Makes the shared cohorts importable, and keeps finished folds of one test from answering for another."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ["EXOCLASSIFY_CACHE"] = ""
