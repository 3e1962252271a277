"""How the pages are built: Markdown and docstrings, one theme, nothing fetched from a network."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "exoclassify"
author = "The exoclassify developers"
copyright = f"2026, {author}. Support for a decision, not a diagnosis"
release = version = version_of("exoclassify")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
default_role = "code"
autodoc_typehints = "none"  # the docstrings give types, in the words of the field
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "furo"
html_title = "exoclassify"
html_static_path: list[str] = []
html_show_sourcelink = False
html_copy_source = False
