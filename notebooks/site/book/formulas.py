"""Formulas, set by KaTeX while the book is built. A page then asks nobody for anything, and shows them at once."""

from docutils import nodes
from katex import Katex
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxTranslator

log = logging.getLogger(__name__)


def visit(translator: SphinxTranslator, node: nodes.math | nodes.math_block) -> None:
    display = isinstance(node, nodes.math_block)
    try:
        html = translator.builder.app.katex.set(node.astext(), display)
    except ValueError as error:
        log.warning("the formula %s cannot be set: %s", node.astext(), error, location=node)
        html = ""
    translator.body.append(f'<div class="math">{html}</div>' if display else f'<span class="math">{html}</span>')
    raise nodes.SkipNode


def begin(app: Sphinx) -> None:
    app.katex = Katex(app.config.katex_script)


def end(app: Sphinx, exception: Exception | None) -> None:
    if katex := getattr(app, "katex", None):
        katex.close()


def setup(app: Sphinx) -> dict:
    app.add_config_value("katex_script", "", "html", str)
    app.add_html_math_renderer("katex", (visit, None), (visit, None))
    app.connect("builder-inited", begin)
    app.connect("build-finished", end)
    return {"parallel_read_safe": True, "parallel_write_safe": False}  # one KaTeX, asked by one
