"""The renderer draws what its factors say: one scene at every size, the right colour, no cut edges."""

import itertools
import math

import pytest
import torch

from course_lib.fruit.drawing import EDGE, SHAPES, Fruit, distance, draw, hull, layers, random_fruit
from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS, PALETTE, SIZES

PAIRS = list(itertools.product(KINDS, COLOURS))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads that wait for one another on a busy machine would take most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def some() -> list[Fruit]:
    """Five random fruits of each kind, in the order of KINDS."""
    generator = torch.Generator().manual_seed(7)
    return [random_fruit(generator, kind=kind) for kind in KINDS for _ in range(5)]


def coverage(fruits: list[Fruit], size: int = 64) -> torch.Tensor:
    """The part of each pixel that the fruit takes: (n, size, size), for n fruits of one kind."""
    line = (torch.arange(size) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(-line, line, indexing="ij")
    return layers(fruits, u.reshape(-1), v.reshape(-1), 2 / size)[1].view(-1, size, size)


def test_shape_dtype_and_range(some):
    pictures = draw(some[::5], 40)
    assert pictures.shape == (len(some[::5]), 3, 40, 40) and pictures.dtype == torch.float32
    assert pictures.min() >= -1 and pictures.max() <= 1
    assert pictures.amax((1, 2, 3)).min() > 0 and pictures.std((1, 2, 3)).min() > 0.1


def test_same_fruit_same_picture_alone_or_in_company(some):
    together = draw(some)
    assert torch.equal(together, draw(some))
    backwards = draw(some[::-1]).flip(0)
    assert torch.allclose(together, backwards, atol=2e-5)
    for i in range(0, len(some), 5):
        assert torch.allclose(together[i], draw([some[i]])[0], atol=2e-5)


def test_every_factor_shows():
    base = Fruit("apple", "red", size=0.7)
    changed = [Fruit("pear", "red", 0.7), Fruit("apple", "pink", 0.7), Fruit("apple", "red", 0.75)] + [
        Fruit("apple", "red", size=0.7, **{name: value})
        for name, value in {
            "x": 0.1,
            "y": -0.1,
            "angle": 15,
            "turn": 30,
            "light": 40,
            "background": "cream",
            "seed": 1,
        }.items()
    ]
    pictures = draw([base] + changed)
    assert ((pictures[1:] - pictures[0]).abs().mean((1, 2, 3)) > 0.005).all()


def test_same_scene_at_every_resolution(some):
    small, large = draw(some[::5], 32), draw(some[::5], 256)
    gap = (torch.nn.functional.avg_pool2d(large, 8) - small).abs()
    assert gap.mean() < 0.02 and gap.mean((1, 2, 3)).max() < 0.03
    assert (gap > 0.3).float().mean() < 0.01


def test_rows_drawn_apart_join(monkeypatch):
    fruit = Fruit("grapes", "purple", light=20)
    whole = draw([fruit], 64)
    monkeypatch.setattr("course_lib.fruit.drawing.RAYS", 128 * 2 * 5)  # 5 rows at a time
    assert torch.allclose(whole, draw([fruit], 64), atol=2e-5)


def test_fruit_fills_its_size_and_stays_inside():
    generator = torch.Generator().manual_seed(3)
    for kind in KINDS:
        fruits = [random_fruit(generator, kind=kind) for _ in range(40)]
        mask = coverage(fruits, 64) > 0.5
        assert not mask[:, [0, -1]].any() and not mask[:, :, [0, -1]].any(), kind
        across, down = mask.any(1).sum(1) / 64, mask.any(2).sum(1) / 64
        share = torch.maximum(across, down) / torch.tensor([f.size for f in fruits])
        assert share.min() > 0.84 and share.max() < 1.06, (kind, share.min(), share.max())
        assert mask.float().mean((1, 2)).min() > 0.08, kind


def test_fruit_stands_where_it_should():
    line = (torch.arange(64) + 0.5) / 64 - 0.5
    for kind in KINDS:
        left, right = coverage([Fruit(kind, "red", 0.6, x=-0.15), Fruit(kind, "red", 0.6, x=0.15, y=0.1)])
        across = [m.sum(0) @ line / m.sum() for m in (left, right)]
        up = [m.sum(1) @ -line / m.sum() for m in (left, right)]
        assert math.isclose(across[1] - across[0], 0.3, abs_tol=0.01)
        assert math.isclose(up[1] - up[0], 0.1, abs_tol=0.01)


def test_colour_is_nearest_to_its_own_palette_entry():
    palette = torch.tensor(list(PALETTE.values()))
    for light, background in zip((-60, 0, 60), ("black", "white", "grey"), strict=True):
        fruits = [Fruit(k, c, light=light, background=background, seed=light + 60) for k, c in PAIRS]
        pictures = (draw(fruits, 32) + 1) / 2
        for start, kind in enumerate(KINDS):
            rows = slice(8 * start, 8 * start + 8)
            spread = pictures[rows].amax(0) - pictures[rows].amin(0)  # what the colour word changes
            body = pictures[rows][:, :, (spread > 0.4).any(0)].mean(2)  # so neither seeds nor leaves
            nearest = torch.cdist(body, palette).argmin(1).tolist()
            wrong = [f"{COLOURS[i]} looks {COLOURS[j]}" for i, j in enumerate(nearest) if i != j]
            assert not wrong, (kind, light, wrong)


def test_brown_is_much_darker_than_orange():
    for kind, light in itertools.product(KINDS, (-60, 60)):
        pair = [Fruit(kind, colour, light=light) for colour in ("orange", "brown")]
        inside = coverage(pair[:1], 32)[0] > 0.9
        orange, brown = draw(pair)[:, 0, inside].mean(1)
        assert orange - brown > 0.4, (kind, light)


def test_kinds_differ_in_outline_or_skin():
    masks = torch.cat([coverage([Fruit(kind, "red")], 64) > 0.5 for kind in KINDS]).flatten(1).float()
    both = masks @ masks.T
    overlap = both / (masks.sum(1)[:, None] + masks.sum(1) - both)
    overlap.fill_diagonal_(0)
    assert overlap.max() < 0.95, overlap
    pictures = draw([Fruit(kind, "red") for kind in KINDS])
    gap = (pictures[:, None] - pictures).abs().mean((2, 3, 4)) + 9 * torch.eye(len(KINDS))
    assert gap.min() > 0.08, gap
    orange, melon = draw([Fruit("orange", "green"), Fruit("watermelon", "green")], 64)[:, 1, 24:40, 24:40]
    assert melon.diff(dim=0).abs().mean() > 2 * orange.diff(dim=0).abs().mean()  # stripes


def test_shapes_are_distances():
    """Stepping by the distance hardly overshoots: nearly everywhere the gradient is at most about 1 long."""
    generator = torch.Generator().manual_seed(0)
    for kind in SHAPES:
        p = torch.rand(3, 4000, generator=generator) * 2.4 - 1.2
        k = torch.rand(8, 1, generator=generator) * 2 - 1
        q = p + 0.01 * torch.nn.functional.normalize(torch.randn(3, 4000, generator=generator), dim=0)
        steep = (distance(kind, p, k) - distance(kind, q, k)).abs() / 0.01
        assert steep.quantile(0.98) < 1.35, kind
        assert (hull(kind).norm(dim=1) < 1.3).all()


def test_backgrounds_show_and_differ():
    corners = draw([Fruit("lemon", "blue", 0.6, background=b) for b in BACKGROUNDS])[:, :, :2].mean((2, 3))
    assert (torch.cdist(corners, corners) + 9 * torch.eye(4)).min() > 0.15
    assert corners[BACKGROUNDS.index("black")].max() < -0.6
    assert corners[BACKGROUNDS.index("white")].min() > 0.5


def test_random_fruit_obeys_its_restrictions():
    generator = torch.Generator().manual_seed(0)
    for word in SIZES:
        fruits = [random_fruit(generator, "pear", "blue", word, "cream") for _ in range(50)]
        assert {(f.kind, f.colour, f.size_word, f.background) for f in fruits} == {("pear", "blue", word, "cream")}
    free = [random_fruit(generator) for _ in range(400)]
    assert {f.kind for f in free} == set(KINDS) and {f.colour for f in free} == set(COLOURS)
    assert {f.background for f in free} == set(BACKGROUNDS) and {f.size_word for f in free} == set(SIZES)
    assert len({f.seed for f in free}) == 400
    assert all(abs(f.x) + f.size / 2 <= EDGE + 1e-6 for f in free)


def test_random_fruit_follows_its_generator_only():
    first = [random_fruit(torch.Generator().manual_seed(5)) for _ in range(2)]
    assert first[0] == first[1]
    assert first[0] != random_fruit(torch.Generator().manual_seed(6))
    before = torch.get_rng_state()
    torch.manual_seed(1)
    one = draw([random_fruit(torch.Generator().manual_seed(5))])
    state = torch.get_rng_state()
    torch.manual_seed(2)
    two = draw([random_fruit(torch.Generator().manual_seed(5))])
    torch.manual_seed(1)
    assert torch.equal(one, two) and torch.equal(state, torch.get_rng_state())  # neither read nor moved
    torch.set_rng_state(before)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"kind": "kiwi"}, "kind='kiwi'.*'apple'"),
        ({"colour": "teal"}, "colour='teal'.*'red'"),
        ({"background": "sky"}, "background='sky'.*'white'"),
        ({"size": 1.5}, "size=1.5.*0.5 to 0.92"),
        ({"size": math.nan}, "size=nan"),
        ({"size": "large"}, "size='large'.*a number"),
        ({"x": 0.4}, "over the border"),
        ({"angle": 90}, "angle=90.*-45 to 45"),
        ({"turn": 180}, "turn=180"),
        ({"light": 200}, "light=200"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 0.5}, "seed=0.5.*whole number"),
    ],
)
def test_wrong_factors_are_explained(factors, words):
    with pytest.raises(ValueError, match=words):
        Fruit(**({"kind": "apple", "colour": "red"} | factors))


def test_wrong_calls_are_explained():
    with pytest.raises(ValueError, match="at least one"):
        draw([])
    for size in (7, 1025, 32.0):
        with pytest.raises(ValueError, match="8 to 1024"):
            draw([Fruit("apple", "red")], size)
    for wrong in ({"kind": "kiwi"}, {"size_word": "huge"}, {"background": "sky"}, {"colour": "teal"}):
        with pytest.raises(ValueError, match=next(iter(wrong.values()))):
            random_fruit(torch.Generator(), **wrong)
