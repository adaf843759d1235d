"""Lessons as pages: pictures with their words, guesses to choose, and a word on what only a running lesson can do."""

import base64
import re
import struct
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from still import BAR, SAID, WIDGET, question

NOTE = 'Here it stands still; in the notebook it moves. Some of it moves on <a href="{live}">the live page</a>, too.'
WIDE = 2  # times as wide as high: on a phone such a picture scrolls in a box of its own, or nothing in it could be seen


def lower_anchors(app: Sphinx, name: str, content: list[str]) -> None:
    """Jupyter's addresses of headings keep their capitals (#U-Net), those of the book have none."""
    if app.env.doc2path(name).suffix == ".ipynb":
        content[0] = re.sub(r"\]\([\w.]*#[^)\s]+\)", lambda link: link.group().lower(), content[0])


def jupyter_ids(document: nodes.document) -> None:
    """Let headings be found by the addresses that they have in Jupyter, too."""
    taken = {*document.ids}
    for section in document.findall(nodes.section):
        name = section.next_node(nodes.title).astext().replace(" ", "-")
        if name not in taken:
            taken.add(name)
            section["ids"].append(name)


def words_for_pictures(container: nodes.container, outputs: list) -> None:
    """Give the pictures below a cell the words that the notebook holds for them, and wide ones a box of their own."""
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    for image, output in zip(list(container.findall(nodes.image)), pictures, strict=True):
        image["alt"] = output.metadata["image/png"]["alt"]
        width, height = struct.unpack(">II", base64.b64decode(output.data["image/png"][:64])[16:24])
        if width > WIDE * height:
            box = nodes.container(classes=["output", "wide"])
            image.replace_self(box)
            box += image


def still_life(container: nodes.container, cell, live: str) -> None:
    """In place of progress bars and widgets, what a page can show of them."""
    for bundle in list(container.findall(lambda node: getattr(node, "get", dict().get)("nb_element") == "mime_bundle")):
        shown = {child["mime_type"]: child.astext() for child in bundle.children}
        text = shown.get("text/plain", "")
        widget = WIDGET.match(text)
        if widget and widget.group(1) == "guess":
            html = question(cell.source, f"guess-{container['cell_index']}")
        elif widget:
            html = f'<p class="live-note">{NOTE.format(live=live)}</p>'
        else:
            html = ""
        if html:
            bundle.parent.insert(bundle.parent.index(bundle) + 1, nodes.raw("", html, format="html"))
        if [*shown] == ["text/plain"] and (widget or BAR.search(text)):
            bundle.parent.remove(bundle)
        for said in list(bundle.findall(nodes.Text)):
            for old, new in SAID.items():
                if old.match(said):
                    said.parent.replace(said, nodes.Text(old.sub(new, said)))


def improve(app: Sphinx, document: nodes.document) -> None:
    """What the page of a lesson needs beyond what its notebook holds."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    jupyter_ids(document)
    cells = nbformat.read(path, as_version=4).cells
    live = "../" * (app.env.docname.count("/") + 1) + "index.html"
    for container in list(document.findall(nodes.container)):
        if container.get("nb_element") == "cell_code":
            cell = cells[container["cell_index"]]
            words_for_pictures(container, cell.outputs)
            still_life(container, cell, live)
            for part in list(container.children):
                if part.get("nb_element") == "cell_code_output" and not part.children:
                    container.remove(part)


def setup(app: Sphinx) -> dict:
    app.connect("source-read", lower_anchors)
    app.connect("doctree-read", improve, priority=400)  # before Sphinx collects the pictures
    return {"parallel_read_safe": True, "parallel_write_safe": True}
