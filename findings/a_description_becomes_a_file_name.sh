#!/usr/bin/env bash
# In a book by myst-nb, the description of a figure that its notebook holds gives way to the name of a file.
#
# Seen with myst-nb 1.4.0 and Sphinx 9.0.4, November 2026.
# Expected: an output's metadata, "image/png": {"alt": "a red apple"}, ends as the text of the picture in the page; or
#        the picture has no text, which any checker of pages reports.
# Found: the text of the picture is the name of its file, 64 hexadecimal digits and all: a screen reader spells them, and
#        a check that every picture has a text is content. myst-nb takes a text only from the cell's own metadata,
#        mystnb.image.alt, one for all its pictures. Carry it over by a transform, and check what the text says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet \
    sphinx==9.0.4 myst-nb==1.4.0 ipykernel==7.4.0
mkdir "$folder/book"
printf 'extensions = ["myst_nb"]\nnb_execution_mode = "off"\n' > "$folder/book/conf.py"
cat > "$folder/book/index.ipynb" <<'NOTEBOOK'
{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
  {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Apples"},
  {"cell_type": "code", "id": "b", "metadata": {}, "source": "draw()", "execution_count": 1, "outputs": [
    {"output_type": "display_data", "metadata": {"image/png": {"alt": "a red apple"}}, "data": {
      "text/plain": "<Figure>", "image/png":
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAQUBAScY42YAAAAASUVORK5CYII="}}]}]}
NOTEBOOK

cd "$folder"
venv/bin/python -m sphinx -q -b html book html
built=$(grep --only-matching '<img alt="[^"]*"' html/index.html)
echo "myst-nb: $built"
grep --quiet --extended-regexp '^<img alt="_images/[0-9a-f]{64}\.png"$' <<< "$built" || { echo "changed: myst-nb's text"; exit 1; }
