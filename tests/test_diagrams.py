"""The drawings: each says what it shows, can be read from the last row, and shows numbers that are right."""

import inspect
import itertools

import matplotlib.colors as colours
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from course_lib.captions import encode
from course_lib.classroom import diagrams, show
from course_lib.fruit.words import VOCABULARY
from course_lib.model import Block, Denoiser
from course_lib.noise import add_noise
from course_lib.tools.pixels import to_image

DRAWINGS = {name: made for name, made in inspect.getmembers(diagrams, inspect.isfunction) if name[0] != "_"}
DRAWINGS = {name: made for name, made in DRAWINGS.items() if made.__module__ == diagrams.__name__}
OTHERS = {
    "a larger network": lambda: diagrams.unet((48, 96, 192), 64, 4),
    "a finer network": lambda: diagrams.unet((32, 64), 128, 2),
    "two words": lambda: diagrams.caption_vector("red apple"),
    "four words": lambda: diagrams.caption_vector("a large purple watermelon"),
}
ALL = DRAWINGS | OTHERS


@pytest.fixture(scope="module", params=ALL)
def figure(request):
    made = ALL[request.param]()
    FigureCanvasAgg(made).draw()
    return made


def words(figure) -> list[Text]:
    return [text for ax in figure.axes for text in ax.texts]


def said(figure) -> list[str]:
    return [text.get_text() for text in words(figure)]


def extent(artist) -> Bbox:
    return artist.get_window_extent()


def meet(a: Bbox, b: Bbox) -> bool:
    """Whether two boxes have more than an edge in common."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


def inside(a: Bbox, b: Bbox, slack: float = 1) -> bool:
    return b.x0 - slack <= a.x0 and a.x1 <= b.x1 + slack and b.y0 - slack <= a.y0 and a.y1 <= b.y1 + slack


def course(arrow: FancyArrowPatch) -> list:
    """Places along the lines of an arrow."""
    path = arrow.get_transform().transform_path(arrow.get_path())
    return [place for part in path.to_polygons(closed_only=False) for place in Path(part).interpolated(50).vertices]


def contrast(one, other) -> float:
    """Of two colours, WCAG 2.2."""
    light = []
    for colour in (one, other):
        parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in colours.to_rgb(colour)]
        light.append(0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05)
    return max(light) / min(light)


def test_the_nine_are_there():
    wanted = "attention caption_vector cascade distillation guidance latent pair road unet"
    assert sorted(DRAWINGS) == wanted.split()


def test_it_says_what_it_shows(figure):
    assert isinstance(figure, show.Figure) and figure.metadata == {"alt": figure.alt}
    assert 100 < len(figure.alt) < 700 and figure.alt.endswith(".") and "  " not in figure.alt


def test_no_words_meet_other_words_or_leave_the_figure(figure):
    extents = {text: extent(text) for text in words(figure)}
    for text, its in extents.items():
        assert inside(its, figure.bbox, 0), text.get_text()
    for (one, a), (other, b) in itertools.combinations(extents.items(), 2):
        assert not meet(a, b), (one.get_text(), other.get_text())


def test_words_lie_in_a_box_or_beside_it_and_on_no_picture_and_no_arrow(figure):
    boxes = [extent(box) for box in figure.findobj(FancyBboxPatch)]
    pictures = [extent(image) for ax in figure.axes for image in ax.get_images()]
    along = [place for arrow in figure.findobj(FancyArrowPatch) for place in course(arrow)]
    for text in words(figure):
        its = extent(text)
        assert all(inside(its, box) or not meet(its, box) for box in boxes), text.get_text()
        assert not any(meet(its, picture) for picture in pictures), text.get_text()
        assert not any(its.contains(*place) for place in along), text.get_text()


def test_it_can_be_read_from_the_last_row(figure):
    wide = figure.get_size_inches()[0]
    fills = [(extent(box), box.get_facecolor()) for box in figure.findobj(FancyBboxPatch)]
    for text in words(figure):
        assert text.get_fontsize() * 1280 / (72 * wide) >= 20  # pixels, on a screen of 1280
        behind = [fill for box, fill in fills if inside(extent(text), box)] or ["white"]
        assert contrast(text.get_color(), behind[-1]) >= 4.5, text.get_text()


@pytest.mark.parametrize("name", DRAWINGS)
def test_it_is_the_same_each_time_in_whatever_style_and_leaves_chance_alone(name):
    chance = torch.get_rng_state()
    first = show.figure_png(DRAWINGS[name]())
    with show.plt.style.context("dark_background"):
        assert show.figure_png(DRAWINGS[name]()) == first
    assert torch.equal(torch.get_rng_state(), chance)


def test_the_road_is_the_road_of_the_course():
    images = [image.get_array() for ax in diagrams.road().axes for image in ax.get_images()]
    x0, eps = diagrams._apple(), diagrams._noise()
    for image, t in zip(images, (0, 0.25, 0.5, 0.75, 1), strict=True):
        assert (image == to_image(add_noise(x0, t, eps)[0])).all()


@pytest.mark.parametrize(("channels", "size", "patch"), [((48, 96), 32, 4), ((16, 32, 64), 64, 4), ((32, 64), 32, 2)])
def test_the_sizes_of_the_network_are_those_that_it_has(channels, size, patch):
    network, seen = Denoiser(["", "a"], patch=patch, channels=channels, width=8, size=size), []
    for block in network.modules():
        if isinstance(block, Block):
            block.register_forward_hook(lambda block, given, h: seen.append(tuple(h.shape[1:])))
    network(torch.zeros(1, 3, size, size), 0.5)
    wanted = [f"{high} × {wide}\n{count} channels" for count, high, wide in seen]
    told = said(diagrams.unet(channels, size, patch))
    assert sorted(text for text in told if "channels" in text) == sorted(wanted)
    assert f"{size} × {size} × 3" in told and any(f"squares\nof {patch} × {patch}" in text for text in told)


@pytest.mark.parametrize("settings", [((48, 50), 32, 4), ((48, 96), 30, 4), ((48,), 32, 4), ((8, 16, 32, 64), 64, 4)])
def test_a_network_that_cannot_be_or_has_no_room_is_refused(settings):
    with pytest.raises(ValueError, match="multiples of|two or three scales"):
        diagrams.unet(*settings)


def test_the_tokens_are_those_of_the_caption():
    tokens = [str(n) for n in encode("a red apple", VOCABULARY)[0].tolist() if n]
    told = said(diagrams.caption_vector())
    assert {"a", "red", "apple", *tokens} <= {*told}
    with pytest.raises(ValueError, match="two to four words"):
        diagrams.caption_vector("a small red apple on a grey background")
    with pytest.raises(ValueError, match="bananna"):
        diagrams.caption_vector("a bananna")


def test_the_numbers_of_attention_are_right():
    wanted = []
    for q in diagrams.QUERIES.tolist():  # softmax(q k) v by hand
        scores = [q[0] * k[0] + q[1] * k[1] for k in diagrams.KEYS.tolist()]
        powers = [2.718281828459045**score for score in scores]
        shares = [power / sum(powers) for power in powers]
        result = [sum(share * v[i] for share, v in zip(shares, diagrams.VALUES.tolist(), strict=True)) for i in (0, 1)]
        wanted += [f"{n:.0f}" for n in (*q, *scores)] + [f"{n:.2f}" for n in (*shares, *result)]
    wanted += [f"{n:.0f}" for n in (*diagrams.KEYS.flatten().tolist(), *diagrams.VALUES.flatten().tolist())]
    told = [text for text in said(diagrams.attention()) if text.replace(".", "").isdigit()]
    assert sorted(told) == sorted(wanted)
    assert "0.953 \\times 4 + 0.047 \\times 0 = 3.81" in " ".join(said(diagrams.attention()))
    assert "place 3: 0.50 and 0.50" in diagrams.attention().alt


def test_a_latent_has_as_many_numbers_fewer_as_it_says():
    told = " ".join(said(diagrams.latent()))
    assert "512 × 512 × 3" in told and "64 × 64 × 4" in told
    assert f"{512 * 512 * 3 // (64 * 64 * 4)} times fewer" in told


def test_a_cascade_is_drawn_to_scale():
    (images,) = [ax.get_images() for ax in diagrams.cascade().axes]
    spans = [(image.get_extent()[1] - image.get_extent()[0]) / image.get_array().shape[1] for image in images]
    assert spans == pytest.approx([spans[0]] * len(images))
