"""Run notebooks from top to bottom and keep what they show, as it is committed: python tests/run_notebooks.py FILES.

Times are left out, and so are the views of widgets, which are dead without their kernel: in their place a saved page
shows the picture or the text that came with them.
"""

import base64
import io
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tqdm import tqdm

from course_lib.tools.files import whole_file

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LANGUAGE = {  # what nbconvert and editors go by; without the version, which is this machine's
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}


def finished(text: str) -> str:
    """A bar as it stands at the end, where its text says 0 %; other text as it is.

    What a widget leaves as text is how it began. nbval takes every state of a bar for the same (tests/nbval.cfg).
    """
    text = re.sub(r"\s*\b0 ?%\| *\| 0/(\d+).*", r" 100%|██████████| \1/\1", text)
    return re.sub(r"\s*\b0 ?%\| *\|.*", " 100%|██████████|", text).strip()


def packed(png: str) -> str:
    """A picture of a notebook (PNG in base64) in fewer bytes, pixel for pixel the same."""
    image, told = Image.open(io.BytesIO(base64.b64decode(png))), PngInfo()
    if letters := image.text.get("Letters"):  # see show.figure_png
        told.add_text("Letters", letters)
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    image.save(file := io.BytesIO(), "PNG", optimize=True, pnginfo=told)
    return base64.b64encode(file.getvalue()).decode()


def run(path: Path) -> float:
    """Run one notebook in its own folder and write it, whole or not at all; the seconds it took."""
    nb = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    plain = "--InlineBackend.figure_formats=png"  # not the figures of the lab, which are four times as large
    client = NotebookClient(
        nb,
        timeout=1800,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=[plain, "--log-level=ERROR"],
        resources={"metadata": {"path": path.parent}},
    )
    client.execute()
    took = time.perf_counter() - began
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.get("metadata", {}).get("image/png"):
                output.metadata.pop("alt", None)  # said twice for the lab, whose figures have a size of their own
            if png := output.get("data", {}).get("image/png"):
                output.data["image/png"] = packed(png)
            if output.get("data", {}).pop(WIDGET_VIEW, None):
                output.data["text/plain"] = finished(output.data.get("text/plain", ""))
    nb.metadata.pop("widgets", None)
    nb.metadata.language_info = LANGUAGE
    with whole_file(path) as temporary:
        nbformat.write(nb, temporary)
    return took


if __name__ == "__main__":
    for name in (progress := tqdm(sys.argv[1:])):
        progress.set_description(Path(name).stem)
        took = run(Path(name))
        progress.write(f"{took:6.0f} s  {name}")
