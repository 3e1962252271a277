"""The only place that prints and exits: one file per command."""

import os

# Arrow's own allocator keeps what was freed: with the system's, scoring a file takes 80 MB less, and the same time. Arrow looks
# when it is imported, and this package is imported before it.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
