#!/usr/bin/env bash
# myst-nb, told to run nothing, writes the notebooks beside the folder that Sphinx was given, hidden cells and all.
#
# Seen with myst-nb 1.4.0 and Sphinx 9.0.4, November 2026.
# Expected: `sphinx-build source site/book` writes into site/book alone; with html_copy_source = False, what a tag such as
#        remove-cell takes out of a page is not on the site; with nb_execution_mode "off" no folder of executed notebooks.
# Found: site/jupyter_execute holds each notebook, with the cells that the page leaves out. Who serves or uploads `site`
#        publishes them: answers of exercises, notes for the teacher. Build into a folder of its own, and move the book.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet sphinx==9.0.4 myst-nb==1.4.0 ipykernel==7.4.0
mkdir "$folder/source"
printf 'extensions = ["myst_nb"]\nnb_execution_mode = "off"\nhtml_copy_source = False\n' > "$folder/source/conf.py"
cat > "$folder/source/index.ipynb" <<'NOTEBOOK'
{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
  {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Exercise"},
  {"cell_type": "code", "id": "b", "metadata": {"tags": ["remove-cell"]}, "source": "answer = 42",
   "execution_count": null, "outputs": []}]}
NOTEBOOK

cd "$folder"
venv/bin/python -m sphinx -q -b html source site/book
echo "in the book: $(grep --recursive --files-with-matches 'answer = 42' site/book || echo nowhere)"
echo "beside it: $(grep --recursive --files-with-matches 'answer = 42' site/jupyter_execute || echo nowhere)"
! grep --recursive --quiet 'answer = 42' site/book || { echo "changed: the page holds the cell"; exit 1; }
grep --quiet 'answer = 42' site/jupyter_execute/index.ipynb || { echo "changed: nothing beside the book"; exit 1; }
