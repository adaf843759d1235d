"""Networks in files. Nothing that trains or draws."""

from course_lib.weights.shipped import (
    load_denoiser,
    load_enlarger,
    load_judge,
    load_panel,
    load_scene_denoiser,
    load_scene_judge,
    panel_error,
)
from course_lib.weights.store import load, load_run, save, save_run

__all__ = [
    "load",
    "load_denoiser",
    "load_enlarger",
    "load_judge",
    "load_panel",
    "load_run",
    "load_scene_denoiser",
    "load_scene_judge",
    "panel_error",
    "save",
    "save_run",
]
