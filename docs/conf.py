"""Configuration of the site: MyST pages, the reference made from the code, the notebook as it was saved."""

from __future__ import annotations

import importlib.metadata
import inspect
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402 (it stands beside this file)

generate.write(HERE / "generated")

project = "dmsb"
author = "the dmsb authors"
release = version = importlib.metadata.version("dmsb")
copyright = f"2026, {author}"  # noqa: A001 (Sphinx's own name)

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
# What pages include is not a page of its own.
exclude_patterns = ["_build", "learning", "generated/made-*.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The notebook is executed by a test, which holds it to what it says.
nb_execution_mode = "off"

html_theme = "furo"
html_title = f"dmsb {release}"
copybutton_exclude = ".linenos, .gp, .go"

autodoc_member_order = "bysource"
add_module_names = False
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("FloatArray", "BoolArray", "IntArray", "TextArray")}
napoleon_use_ivar = True
napoleon_include_init_with_doc = False

# Addresses that refuse programs, or that are not reachable from everywhere.
linkcheck_ignore = [r"https://doi\.org/.*"]


def skip_attributes(_app: object, _what: str, _name: str, thing: object, skip: bool, _options: object) -> bool:
    """Leave attributes out of the members: the docstring of the class has them, with units."""
    return skip or not (inspect.isroutine(thing) or isinstance(thing, property))


def setup(app: Sphinx) -> None:
    """Connect what this configuration adds to Sphinx."""
    app.connect("autodoc-skip-member", skip_attributes)
