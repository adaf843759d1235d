"""The book for Sphinx. `make site` lays its sources together (../make_site.py) and builds it from there."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # where formulas.py and lessons.py lie

project = "From noise to a green banana"
author = "The course authors"
copyright = "The course authors. Prose and pictures CC BY 4.0, code MIT"
language = "en"

extensions = ["myst_nb", "formulas", "lessons"]
exclude_patterns = ["static", "templates"]
templates_path = ["templates"]

nb_execution_mode = "off"  # the outputs are the committed ones
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
nitpicky = True
suppress_warnings = ["config.cache"]

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["katex/katex.min.css", "book.css"]
html_favicon = "static/icon.svg"
html_math_renderer = "katex"
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_last_updated_fmt = None
html_context = {"default_mode": "auto"}  # the theme of the reader's system, until another is chosen
html_sidebars = {"**": ["navbar-logo.html", "live.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_theme_options = {
    "navbar_persistent": [],  # one search is enough
    "home_page_in_toc": False,
    "navigation_with_keys": False,  # arrow keys belong to what they scroll
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "use_download_button": False,
    "toc_title": "On this page",
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# The course has no address of its own: whoever hosts it says where its repository lies, such as
# `REPOSITORY=https://github.com/name/course make site`, and each lesson then links to Colab and Binder.
if repository := os.environ.get("REPOSITORY", "").rstrip("/"):
    html_theme_options |= {
        "repository_url": repository,
        "repository_branch": os.environ.get("BRANCH", "main"),
        "path_to_docs": "notebooks",
        "use_repository_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    }
