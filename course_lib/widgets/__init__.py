"""Things to touch in a notebook, one file each. No mathematics."""

from course_lib.widgets.diagnosis_game import DiagnosisGame
from course_lib.widgets.flow_plane import FlowPlane
from course_lib.widgets.guesses import guess, guesses, told
from course_lib.widgets.guidance_grid import GuidanceGrid
from course_lib.widgets.noise_slider import NoiseSlider
from course_lib.widgets.pair_explorer import PairExplorer
from course_lib.widgets.prompt_box import PromptBox
from course_lib.widgets.slider import Slider
from course_lib.widgets.trajectory import Trajectory
from course_lib.widgets.watching import watch

__all__ = [
    "DiagnosisGame",
    "FlowPlane",
    "GuidanceGrid",
    "NoiseSlider",
    "PairExplorer",
    "PromptBox",
    "Slider",
    "Trajectory",
    "guess",
    "guesses",
    "told",
    "watch",
]
