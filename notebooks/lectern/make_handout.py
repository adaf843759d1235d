"""Make the handout, all lessons and the glossary on one page, and the cheat sheet: `make handout`.

    build/handout/handout.html       to read without a kernel, offline: pictures, fonts and all lie in the one file
    build/handout/handout.pdf        the same on paper, with page numbers
    build/handout/cheat_sheet.html   two pages A4, from cheat_sheet.md
    build/handout/cheat_sheet.pdf

Both are made of what the lessons have saved; nothing is run. All four are made, or what was there stays. Hints and
answers are folded on a screen and open on paper, where nobody could unfold them.
"""

import ast
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import jinja2
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SITE = ROOT / "notebooks" / "site"
KATEX = SITE / "node_modules" / "katex" / "dist"
OUT = ROOT / "build" / "handout"
sys.path[:0] = [str(HERE), str(SITE)]
from katex import Katex  # noqa: E402
from lessons import NOTEBOOKS, Figure, all_lessons, shown  # noqa: E402
from make_site import whole_folder  # noqa: E402
from still import BAR, SAID, WIDGET, question  # noqa: E402

STYLE = HtmlFormatter(style="default", cssclass="code")
ASKED = {"guess", "told", "guesses"}  # calls that are no code to read: a page shows what they ask and answer
MOVES = "Here it stands still; in the notebook it moves."
NEEDED = "and it must be run and saved (`make outputs`)"
CHROMIUM = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --no-pdf-header-footer --generate-pdf-document-outline"""

Formula = Callable[[str, bool], str]  # (tex, display) -> html, such as `Katex.set`


class Heading(NamedTuple):
    """A line of the table of contents."""

    level: int
    place: str  # its address on the page
    html: str


# Markdown as HTML


def markdown(formula: Formula) -> MarkdownIt:
    """What turns a lesson's Markdown into HTML; `env` names the notebook and gathers its headings.

    Headings get the addresses that they have in Jupyter, behind the notebook's own: "glossary/noise-level".
    """
    md = MarkdownIt("commonmark", {"html": True, "highlight": coloured}).enable("table")
    md.use(dollarmath_plugin, allow_labels=False, renderer=lambda tex, how: formula(tex, how["display_mode"]))

    def heading(renderer, tokens, i, options, env) -> str:
        title = tokens[i + 1]
        level, words = int(tokens[i].tag[1]), "".join(part.content for part in title.children)
        place = env["notebook"] + (f"/{words.replace(' ', '-')}" if level > 1 else "")
        html = renderer.renderInline(title.children, options, env)
        env["headings"].append(Heading(level, place, html))
        return f'<h{level} id="{escape(place)}">'

    def link(renderer, tokens, i, options, env) -> str:
        to = re.fullmatch(r"(?:([\w.-]+)\.ipynb)?(?:#(.+))?", tokens[i].attrs["href"])
        if to and any(to.groups()):
            within = f"/{to[2]}" if to[2] else ""
            tokens[i].attrSet("href", f"#{to[1] or env['notebook']}{within}")
        return renderer.renderToken(tokens, i, options, env)

    md.add_render_rule("heading_open", heading)
    md.add_render_rule("link_open", link)
    return md


def coloured(code: str, language: str, attributes: str = "") -> str:
    """Code with its words marked, by Pygments; text in any other language as it stands."""
    try:
        return highlight(code, get_lexer_by_name(language), STYLE)
    except ClassNotFound:
        return f'<div class="code"><pre>{escape(code)}</pre></div>'


def figure(shown: Figure, note: str = "") -> str:
    """A picture that lies in the page itself."""
    source = base64.b64encode(shown.png).decode()
    size = f'width="{shown.width}" height="{shown.height}"'
    caption = f"<figcaption>{note}</figcaption>" if note else ""
    picture = f'<img src="data:image/png;base64,{source}" alt="{escape(shown.alt)}" {size}>'
    return f"<figure>{picture}{caption}</figure>"


# Lessons


def chapter(path: Path, md: MarkdownIt) -> dict:
    """A notebook as a chapter: its name, its headings, and its HTML. ValueError, with the cell, for what is missing."""
    env = {"notebook": path.stem, "headings": []}
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        try:
            parts.append(code_cell(cell, md, env) if cell["cell_type"] == "code" else md.render(source(cell), env))
        except ValueError as error:
            raise ValueError(f"`{cell['id']}` of {path.name}: {error}") from error
    return env | {"html": "\n".join(parts)}


def source(cell: dict) -> str:
    return "".join(cell["source"])


def asks(code: str) -> bool:
    """Whether a cell is one of the questions and answers about guesses, and nothing else."""
    try:
        lines = ast.parse(code).body
    except SyntaxError:
        return False
    calls = [line.value for line in lines if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)]
    return len(lines) == len(calls) == 1 and getattr(calls[0].func, "id", "") in ASKED


def code_cell(cell: dict, md: MarkdownIt, env: dict) -> str:
    """A cell of code and what it showed."""
    code = source(cell)
    below = "".join(output(found, cell, md, env) for found in cell["outputs"])
    above = "" if asks(code) else coloured(code, "python")
    return f'<div class="cell" id="{cell["id"]}">{above}{below}</div>' if above or below else ""


def output(found: dict, cell: dict, md: MarkdownIt, env: dict) -> str:
    """What a cell showed, as a page on which nothing runs can show it."""
    data = {kind: "".join(lines) for kind, lines in found.get("data", {"text/plain": found.get("text", "")}).items()}
    text = data.get("text/plain", "")
    widget = WIDGET.match(text)
    if "image/png" in data:
        alt = found["metadata"].get("image/png", {}).get("alt")
        if not alt:
            raise ValueError(f"its picture has no words that say what it shows, {NEEDED}.")
        png = base64.b64decode(data["image/png"])
        size = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
        return figure(Figure(cell["id"], png, alt, *size), MOVES if widget else "")
    if text.startswith("<Figure "):
        raise ValueError(f"its picture is missing, {NEEDED}.")
    if "text/markdown" in data:
        said = data["text/markdown"]
        for old, new in SAID.items():
            said = old.sub(new, said)
        return f'<div class="said">{md.render(said, env)}</div>'
    if widget and widget[1] == "guess":
        return question(source(cell), f"guess-{cell['id']}")
    if widget or BAR.search(text) or not text.strip():
        return f'<p class="note">{MOVES}</p>' if widget else ""
    return f'<pre class="printed">{escape(text)}</pre>'


# Styles and fonts


def used_fonts(css: str, html: str) -> str:
    """KaTeX's style with those of its fonts that this page uses inside it, and without the others."""
    classes = {name for names in re.findall(r'class="([^"]*)"', html) for name in names.split()}
    faces = set()
    for selectors, rule in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        if "KaTeX_" not in rule and "font-weight" not in rule and "font-style" not in rule or "@font-face" in selectors:
            continue
        if any({*re.findall(r"\.([\w-]+)", one)} <= classes for one in selectors.split(",")):
            faces.add(face_of(rule))

    def kept(rule: re.Match) -> str:
        if face_of(rule[0]) not in faces:
            return ""
        name = re.search(r"fonts/([\w-]+\.woff2)", rule[0])[1]
        font = base64.b64encode((KATEX / "fonts" / name).read_bytes()).decode()
        return re.sub(r"src:[^}]*", f'src:url(data:font/woff2;base64,{font}) format("woff2")', rule[0])

    return re.sub(r"@font-face\{[^}]*\}", kept, css)


def face_of(rule: str) -> tuple[str, bool, bool]:
    """Which font a rule of KaTeX's style asks for: its family, and whether it is bold and slanted."""
    family = re.search(r"KaTeX_\w+", rule)
    return family[0] if family else "KaTeX_Main", "font-weight:700" in rule, "font-style:italic" in rule


def page(template: str, **values) -> str:
    """A page of ours: its template filled in, with all styles inside it."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "handout"), undefined=jinja2.StrictUndefined)
    environment.globals |= {"code_css": STYLE.get_style_defs(".code"), "formula_css": "@formulas@"}
    html = environment.get_template(template).render(values)
    css = KATEX / "katex.min.css"
    return html.replace("@formulas@", used_fonts(css.read_text(encoding="utf-8"), html) if css.exists() else "")


def handout(formula: Formula, folder: Path = NOTEBOOKS) -> Callable[..., str]:
    """The handout as a function of the page on which each place stands, {place: number}, for what is printed.

    Raises ValueError or FileNotFoundError, with the lesson or the cell, for what is missing or is no lesson.
    """
    md = markdown(formula)
    lessons = all_lessons(folder)
    chapters = [chapter(folder / f"{one.name}.ipynb", md) | {"question": one.question} for one in lessons]
    chapters.append(chapter(folder / "glossary.ipynb", md) | {"question": "What does that word mean?"})
    return lambda pages=None: page("handout.html", chapters=chapters, pages=pages or {})


# The cheat sheet


def cheat_sheet(formula: Formula, text: str | None = None) -> str:
    """The cheat sheet. `cheat_sheet.md` names cells of the lessons, and this puts in what they hold.

    In backticks, as in a lecture: `06-080` its figures, `02-n66/formula` its formula, `04-n16/code` its code, or
    `04-n18/code sample_tiny` one function of it; `notation` is the table of the book. A line `---` ends a page.
    Raises ValueError, with the reference, for what is not there.
    """
    text = (HERE / "cheat_sheet.md").read_text(encoding="utf-8") if text is None else text
    notation = (SITE / "book" / "notation.md").read_text(encoding="utf-8")
    table = re.search(r"^\|.*?(?=\n\n)", notation, re.MULTILINE | re.DOTALL)[0]
    text = text.replace("`notation`", re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", table))
    text = re.sub(r"`(\d\d-[^`]+)`", lambda found: put_in(found[1]), text)
    pages = [markdown(formula).render(part, {"notebook": "sheet", "headings": []}) for part in text.split("\n---\n")]
    return page("cheat_sheet.html", pages=pages)


def put_in(reference: str) -> str:
    """What a reference of the cheat sheet points at, as Markdown."""
    reference, code, function = reference.partition("/code")
    what = shown(reference + code)
    if isinstance(what, list):
        return "".join(map(figure, what))
    if reference.endswith("/formula"):  # a bar would end a field of a table
        return "$\\displaystyle " + what.replace("|", r"\vert ") + "$"
    return "```python\n" + (definition(what, function.strip(), reference) if function else what) + "\n```"


def definition(code: str, name: str, cell: str) -> str:
    """One function out of the code of a cell, with what is written above it."""
    for part in ast.parse(code).body:
        if getattr(part, "name", "") == name:
            first = min([part.lineno, *(above.lineno for above in part.decorator_list)])
            return "\n".join(code.splitlines()[first - 1 : part.end_lineno])
    raise ValueError(f"`{cell}/code {name}` is missing: the cell defines no {name}.")


# Paper


def print_page(html: Path, pdf: Path) -> None:
    """Print a page by Chromium, named in $CHROMIUM or found; FileNotFoundError where there is none."""
    asked = os.environ.get("CHROMIUM", "chromium")
    if not (chromium := shutil.which(asked)):
        told = f"there is no {asked}. Name it: make handout CHROMIUM=/path/to/chrome"
        raise FileNotFoundError(f"Chromium, which prints the handout, is missing: {told}")
    with tempfile.TemporaryDirectory() as profile:
        options = [*CHROMIUM.split(), f"--user-data-dir={profile}", f"--print-to-pdf={pdf}"]
        done = subprocess.run([chromium, *options, html.as_uri()], capture_output=True, text=True)
    if done.returncode or not pdf.is_file():
        last = (done.stderr.strip().splitlines() or ["It says nothing."])[-1]
        raise ValueError(f"Chromium did not print {html.name}: {last}")


def places(pdf: bytes) -> dict[str, int]:
    """On which page, counted from 1, each address of a PDF by Chromium stands, of those that something links to."""
    pages = re.findall(rb"^(\d+) 0 obj\n<</Type /Page\n", pdf, re.MULTILINE)
    number = {page: i + 1 for i, page in enumerate(pages)}
    found = re.findall(rb"^(?:<<)?/(?!Dest )(\S+) \[(\d+) 0 R /XYZ ", pdf, re.MULTILINE)
    plain = partial(re.sub, rb"#([0-9A-F]{2})", lambda code: bytes.fromhex(code[1].decode()))
    return {unquote(plain(name).decode()): number[page] for name, page in found}


def page_count(pdf: bytes) -> int:
    """How many pages a PDF by Chromium has."""
    return len(re.findall(rb"^<</Type /Page\n", pdf, re.MULTILINE))


def make(folder: Path, formula: Formula) -> None:
    """Write all four files into a folder. Raises ValueError or FileNotFoundError, with what is wrong or missing."""
    filled, sheet = handout(formula), cheat_sheet(formula)
    for name, html in (("handout", filled()), ("cheat_sheet", sheet)):
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
        print_page(folder / f"{name}.html", folder / f"{name}.pdf")
    if (pages := page_count((folder / "cheat_sheet.pdf").read_bytes())) != 2:
        raise ValueError(f"The cheat sheet takes {pages} pages and not two: shorten cheat_sheet.md or its style.")
    number_contents(filled, folder / "handout.pdf")


def number_contents(filled: Callable[..., str], pdf: Path) -> None:
    """Print the handout once more, now that it is known on which page each place stands, and until that is so."""
    with tempfile.TemporaryDirectory() as work:
        html = Path(work) / "handout.html"
        for _ in range(3):
            numbers = places(pdf.read_bytes())
            html.write_text(filled(numbers), encoding="utf-8")
            print_page(html, pdf)
            if places(pdf.read_bytes()) == numbers:
                return
    raise ValueError("The contents of the handout find no page numbers that stay: keep room for them in handout.css.")


def main() -> None:
    if not KATEX.is_dir() or not shutil.which("node"):
        sys.exit("The packages that set formulas are missing. `make handout` fetches them, then makes the handout.")
    katex = Katex(str(SITE / "formulas.mjs"))
    try:
        with whole_folder(OUT) as folder:
            make(folder, katex.set)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    finally:
        katex.close()
    print(f"The handout and the cheat sheet are in {OUT.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
