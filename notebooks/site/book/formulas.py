"""Formulas, set by KaTeX while the book is built. A page then asks nobody for anything, and shows them at once."""

import json
import subprocess

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxTranslator

log = logging.getLogger(__name__)


class Katex:
    """A process that sets one formula after another; begun with the first."""

    def __init__(self, script: str):
        self.script, self.process = script, None

    def set(self, tex: str, display: bool) -> str:
        """A formula as HTML, with MathML for screen readers; ValueError for one that KaTeX cannot set."""
        if self.process is None:
            self.process = subprocess.Popen(
                ["node", self.script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
        print(json.dumps({"tex": tex, "display": display}), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline() or '{"error": "KaTeX has ended: run `make site` again"}')
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["html"]

    def close(self) -> None:
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()


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
