"""Networks in files. Nothing that trains or draws."""

from course_lib.weights.store import (
    load_any_denoiser,
    load_denoiser,
    load_judge,
    load_scene_denoiser,
    load_scene_judge,
    save,
)

__all__ = ["load_any_denoiser", "load_denoiser", "load_judge", "load_scene_denoiser", "load_scene_judge", "save"]
