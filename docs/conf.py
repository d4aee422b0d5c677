"""Settings of the documentation site (`make docs`). Sphinx reads this file; nothing else imports it.

The source folder is the repository's root, so that the links of README.md and of the pages in docs/ work both in a
checkout and on the site. Reading the site sends no request to any other machine: theme, fonts, search and scripts are
all files of the site (tests/docs/test_site.py).
"""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "nym_python_sdk" / "python"))

from usernym._version import __version__  # noqa: E402

project = "usernym"
author = "the usernym project"
copyright = "the usernym project, MIT licence"  # noqa: A001 - Sphinx's own name
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "nym_python_sdk/*.md", "nym_python_sdk/docs/**", "tests/vectors/README.md"]
exclude_patterns = ["docs/conf.py", "[.b]*/**", "usernym/**", "nym_python_sdk/python/**", "nym_python_sdk/tests/**"]

html_theme = "furo"
html_title = f"usernym {release}"
html_copy_source = html_show_sourcelink = False
html_show_copyright = False
templates_path: list[str] = []

myst_heading_anchors = 4
myst_enable_extensions = ["tasklist"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
# Its extension module (Rust) need not be built for its documentation.
autodoc_mock_imports = ["nym_python_sdk._native"]
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
# Docstrings write code as Markdown does: `Client.send`. Where that names something in the reference it becomes a link.
default_role = "py:obj"
suppress_warnings = ["ref.python"]


def _write_front_page(app: Any, error: Exception | None) -> None:
    """The site's pages lie as their sources do; its root leads to the first of them."""
    if error is None and app.builder.name == "html":
        page = '<!doctype html><meta charset="utf-8"><title>usernym</title>'
        page += '<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">usernym</a>\n'
        (Path(app.outdir) / "index.html").write_text(page)


def _list_parameters(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Make a list of paragraphs such as `name: what it is`, with further lines indented, as docstrings write them."""
    found: list[str] = []
    inside = False
    for line in lines:
        starts = re.match(r"[a-z_]+: \S", line) and (inside or not found or not found[-1])
        inside = bool(starts) or (inside and line.startswith("    "))
        if found and not inside and re.match(r" *:[a-z_]+: | {4}", found[-1]) and line:
            found.append("")
        found.append(f":{line}" if starts else line)
    lines[:] = found


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _list_parameters)
    app.connect("build-finished", _write_front_page)
