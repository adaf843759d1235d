"""Pictures of fruit, drawn from their factors: draw([Fruit(kind, colour, size, place, pose, light)]).

Read it first, or skip it; the rest of the library only needs `Fruit`, `random_fruit` and `draw`.
Each kind is a signed distance function (see `shapes`). A ray walks from the camera in steps about as long as that
distance, so it stops at the skin ("sphere tracing", Hart 1996). There one lamp lights it. From top to bottom: the
factors, the pose, the light, the picture.

As in `shapes`, p are points (3, rays) and k the details of the individuals they belong to, (11, rays) in [-1, 1]; what
is said of each ray is (rays,), directions are (3, rays), colours (3, rays) sRGB in [0, 1]. `width` is that of a ray.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce

import torch
from torch import Tensor

from course_lib.fruit.shapes import GLOSS, PITS, REST, SHAPES, length, linear, marks, pits, ramp
from course_lib.fruit.words import BACKDROPS, BACKGROUNDS, COLOURS, KINDS, PALETTE, SIZES, check_choice
from course_lib.noise import Pictures

WOOD, LEAF = (0.36, 0.24, 0.12), (0.27, 0.52, 0.14)
PITCH = math.radians(24)  # the camera looks down by this angle
STEPS, EDGE, RAYS = 42, 0.48, 1 << 17  # steps of a ray; reach from the middle; rays at a time
LIMITS = {"size": (0.5, 0.92), "x": (-1, 1), "y": (-1, 1), "angle": (-45, 45), "turn": (-60, 60), "light": (-80, 80)}

Wish = str | None  # a word, or None: left to chance


@dataclass(frozen=True)
class Fruit:
    """The factors of one picture. Raises ValueError, naming the factor, if one is out of its range."""

    kind: str
    colour: str
    size: float = 0.80  # longer side of the fruit's box, as a fraction of the picture
    x: float = 0.0  # centre, right of the middle, as a fraction of the picture
    y: float = 0.0  # centre, above the middle
    angle: float = 0.0  # roll in the picture plane, degrees, positive is anticlockwise
    turn: float = 0.0  # turn about the vertical, degrees
    light: float = -40.0  # where the lamp stands, degrees, from the left to the right; 0 is above the camera
    background: str = "grey"
    seed: int = 0  # the individual: proportions, tint, stem, stripes; 0 to 2**63 - 1

    def __post_init__(self):
        for name, allowed in (("kind", KINDS), ("colour", COLOURS), ("background", BACKGROUNDS)):
            check_choice(name, getattr(self, name), allowed)
        for name, (low, high) in (LIMITS | {"seed": (0, 2**63 - 1)}).items():
            value, types = getattr(self, name), int if name == "seed" else (int, float)
            if not (isinstance(value, types) and low <= value <= high):
                number = "a whole number" if name == "seed" else "a number"
                raise ValueError(f"{name}={value!r} is out of range; choose {number} from {low} to {high}.")
        room = EDGE - self.size / 2
        if max(abs(self.x), abs(self.y)) > room + 1e-9:
            raise ValueError(
                f"x={self.x}, y={self.y} pushes a fruit of size {self.size} over the border; "
                f"choose x and y from {-room:.3f} to {room:.3f}, or a smaller size."
            )

    @property
    def size_word(self) -> str:
        """ "small", "" (nothing worth saying) or "large"."""
        return "small" if self.size < 0.695 else "large" if self.size > 0.83 else ""


def random_fruit(
    generator: torch.Generator, kind: Wish = None, colour: Wish = None, size_word: Wish = None, background: Wish = None
) -> Fruit:
    """A Fruit whose factors are drawn from `generator` (on the CPU), uniformly, except those that are given.

    size_word: "small", "" or "large". Raises ValueError for an unknown word.
    """

    def one_of(options, given, name):
        if given is not None:
            check_choice(name, given, options)
        pick = options[torch.randint(len(options), (), generator=generator)]  # even if given
        return pick if given is None else given

    kind, colour = one_of(KINDS, kind, "kind"), one_of(COLOURS, colour, "colour")
    background = one_of(BACKGROUNDS, background, "background")
    low, high = SIZES[one_of(tuple(SIZES), size_word, "size_word")]
    u = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
    size = low + (high - low) * u[0]
    x, y, angle, turn, light = (
        (2 * v - 1) * reach for v, reach in zip(u[1:], (EDGE - size / 2, EDGE - size / 2, 20, 35, 65), strict=True)
    )
    seed = int(torch.randint(2**31, (), generator=generator))
    return Fruit(kind, colour, size, x, y, angle, turn, light, background, seed)


# The pose

COS, SIN = math.cos(PITCH), math.sin(PITCH)
CAMERA = torch.tensor([[1, 0, 0], [0, COS, -SIN], [0, SIN, COS]])  # world to view axes


def turned(degrees: Tensor, i: int, j: int) -> Tensor:
    """Rotation matrices (n, 3, 3) that turn axis i towards axis j."""
    a = torch.deg2rad(degrees)
    r = torch.eye(3).repeat(len(a), 1, 1)
    r[:, i, i] = r[:, j, j] = a.cos()
    r[:, j, i], r[:, i, j] = a.sin(), -a.sin()
    return r


@cache
def hull(kind: str) -> Tensor:
    """Outermost points (m, 3) of a kind: they decide its box in the picture and where it stands."""
    axis = torch.linspace(-1.3, 1.3, 64)
    p = torch.cartesian_prod(axis, axis, axis).T
    # the four individuals that differ most
    corners = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]]).repeat(1, 4)[:, :, None]
    points = p.T[reduce(torch.minimum, [d for k in corners for d in SHAPES[kind](p, k)]) < 0.015]
    i = torch.arange(400) + 0.5  # directions spread evenly over the sphere (golden spiral)
    height, around = 1 - i / 200, math.pi * (1 + 5**0.5) * i
    r = (1 - height * height).sqrt()
    ways = torch.stack([r * around.cos(), height, r * around.sin()], 1)
    return points[(ways @ points.T).argmax(1).unique()]


def pose(fruits: Sequence[Fruit]) -> tuple[Tensor, ...]:
    """Place n fruits of one kind so that each fills its box.

    Returns to_view (n, 3, 3), object to view axes (right, up, to the camera); box (n, 2, 2), lowest and
    highest (right, up) of the fruit in the view; ground (n,), the floor's height; details (11, n) in [-1, 1].
    """
    angle, turn = torch.tensor([(f.angle, f.turn) for f in fruits]).T
    rest = torch.full_like(angle, REST.get(fruits[0].kind, 0))
    dice = (torch.Generator().manual_seed(f.seed) for f in fruits)
    details = torch.stack([torch.rand(11, generator=g) for g in dice], 1) * 2 - 1
    stretch = 1 + 0.04 * details[8:].T[:, None]
    world = turned(angle, 0, 1) @ turned(turn, 2, 0) @ turned(rest, 0, 1) * stretch
    points = hull(fruits[0].kind) @ (CAMERA @ world).mT  # (n, m, 3)
    box = torch.stack([points.amin(1), points.amax(1)], 1)[..., :2]
    return CAMERA @ world, box, (points @ CAMERA[:, 1]).amin(1), details


# The light. From here on the rays of all n fruits lie in one row, and `who` (rays,) says whose each one is.


def take(values: Tensor, which: Tensor) -> Tensor:
    """The same as values[..., which], but ten times as fast on a CPU."""
    return values.index_select(-1, which)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar products."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def distance(kind: str, p: Tensor, k: Tensor) -> Tensor:
    """Distance from points to a fruit, whatever part of it is nearest."""
    return reduce(torch.minimum, SHAPES[kind](p, k))


def walk(kind: str, origin: Tensor, forward: Tensor, k: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Sphere tracing: how far along its ray each came closest to the skin, and how close."""
    depth, closest = torch.full_like(width, -1.3), torch.full_like(width, 9.0)
    live, t, at, best = torch.arange(len(width)), depth, depth, closest
    for step in range(STEPS):
        if step % 3 == 2:  # rays that arrived, or left on the far side, stop here
            depth[live], closest[live] = at, best
            on = ((best > 0.05 * width) & (t < 1.3)).nonzero()[:, 0]
            live, t, at, best, origin, forward, k, width = (
                take(a, on) for a in (live, t, at, best, origin, forward, k, width)
            )
        d = distance(kind, torch.addcmul(origin, forward, t), k)
        nearer = d < best
        at, best, t = torch.where(nearer, t, at), torch.where(nearer, d, best), t + 0.92 * d
    depth[live], closest[live] = at, best
    return depth, closest


def skin_colour(kind: str, p, k: Tensor, width: Tensor, body: Tensor, tall: Tensor, compass) -> Tensor:
    """Colour at skin points of colour `body` (in linear light), `tall` above the floor; compass: see `layers`."""
    up, eye, lamp, half = compass
    # The normal is the gradient of the distance, from four points round p (Quilez, "normals for an SDF").
    slope, step = torch.zeros_like(p), (0.4 * width).clamp_(min=0.003)
    for corner in torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])[:, :, None]:
        q = p + corner * step
        slope += corner * (distance(kind, q, k) + (PITS[kind] * pits(q) if kind in PITS else 0))
    normal = slope / length(*slope).clamp_(min=1e-9)
    # The paint, in linear light.
    body = body * (1 + 0.06 * k[5] + 0.05 * torch.sin(3 * p[0] + 5 * k[6]) * torch.sin(4 * p[1] + 5 * k[7]))
    amount, mark = marks(kind, p, k, body)
    paint, (nearest, *others) = torch.lerp(body, mark, amount), SHAPES[kind](p, k)
    for part, colour in zip(others, (WOOD, LEAF), strict=False):
        share = ((nearest - part) / width * 2 + 0.5).clamp_(0, 1)
        paint = torch.lerp(paint, linear(colour).expand_as(p), share)
        nearest = torch.minimum(nearest, part)
    # The lamp reaches a little round the corner; less sky reaches gaps and the floor; then the highlight
    # (Blinn 1977, "Models of light reflection") and a paler rim.
    lit = ((dot(lamp, normal) + 0.30) / 1.30).clamp_(min=0)
    gap = (distance(kind, p + 0.16 * normal, k) / 0.16).clamp_(0.3, 1) * (0.6 + 0.4 * ramp(tall, -0.1, 0.8))
    shine, rim = dot(half, normal).clamp_(min=0.5), (1 - dot(eye, normal).clamp_(0.25, 1)).pow(3)
    white = GLOSS.get(kind, 0.25) * (0.8 * shine.pow(90) + 0.12 * shine.pow(14)) + 0.04 * rim * gap
    return (paint * ((0.48 + 0.18 * dot(up, normal)) * gap + 0.70 * lit) + white).clamp_(0, 1).sqrt_()


def floor_light(kind: str, p: Tensor, k: Tensor, lamp: Tensor) -> Tensor:
    """Light in [0, 1] at floor points: how wide the way to the lamp is (Quilez, "soft shadows")."""
    way = torch.ones_like(p[0])
    for h in (0.10, 0.22, 0.40, 0.62, 0.90, 1.25):
        way = torch.minimum(way, distance(kind, p + h * lamp, k) / h + 0.5)
    return (0.5 + 0.5 * ramp(way, 0.0, 1.0)) * (0.55 + 0.45 * ramp(distance(kind, p, k), -0.1, 0.5))


def layers(fruits: Sequence[Fruit], u: Tensor, v: Tensor, width: float) -> tuple[Tensor, ...]:
    """What rays through the picture points (u, v) meet, each in [-1, 1] (right, up).

    Returns, for n fruits of one kind, (n, rays) each: depth of the skin, in fruit units behind the picture plane;
    coverage, the part of the ray that the fruit takes; colour, (3, n, rays); floor, the light on the ground behind it,
    from 0 (shadow) to 1.
    """
    kind, n = fruits[0].kind, len(fruits)
    to_view, box, ground, details = pose(fruits)
    size, x, y, azimuth = torch.tensor([(f.size, f.x, f.y, math.radians(f.light)) for f in fruits]).T
    scale = 2 * size / (box[:, 1] - box[:, 0]).amax(1)  # half picture widths per fruit unit
    middle = box.mean(1) - 2 * torch.stack([x, y], 1) / scale[:, None]
    view = torch.stack([u, v])[:, None] / scale[:, None] + middle.T[:, :, None]  # (2, n, rays)
    low, high = box.permute(1, 2, 0)[..., None]
    inside = ((view > low - 0.1) & (view < high + 0.1)).all(0).flatten().nonzero()[:, 0]
    # Everything moves to the axes of the object, in which the shapes are written.
    to_object = torch.linalg.inv(to_view)
    origin = torch.einsum("nij,jnr->inr", to_object[:, :, :2], view).flatten(1)  # (3, n * rays)
    toward = torch.stack([azimuth.sin() * 0.67, torch.full_like(azimuth, 0.74), azimuth.cos() * 0.67], 1)
    up, eye, lamp = CAMERA[:, 1].expand(n, 3), torch.tensor([[0.0, 0, 1]]).expand(n, 3), toward @ CAMERA.T
    half = torch.nn.functional.normalize(lamp + eye, dim=1)
    # directions up, to the eye, to the lamp, half way between, (3, n) each
    up, eye, lamp, half = compass = [torch.einsum("nij,nj->in", to_object, a) for a in (up, eye, lamp, half)]
    owner = torch.arange(n).repeat_interleave(len(u))
    width = take(width / scale, owner)

    depth, closest = torch.zeros_like(width), torch.full_like(width, 9.0)
    who = take(owner, inside)
    rays = take(origin, inside), -take(eye, who), take(details, who), take(width, inside)
    depth[inside], closest[inside] = walk(kind, *rays)
    coverage = (1.05 - closest / width).clamp_(0, 1)  # a ray that only grazes the skin smooths the outline

    skin = (coverage > 0).nonzero()[:, 0]
    who = take(owner, skin)
    p = take(origin, skin) - take(eye, who) * take(depth, skin)
    body = take(torch.tensor([PALETTE[f.colour] for f in fruits]).T, who) ** 2
    colour, tall = torch.zeros_like(origin), dot(take(up, who), p) - take(ground, who)
    their_compass = [take(a, who) for a in compass]
    colour[:, skin] = skin_colour(kind, p, take(details, who), take(width, skin), body, tall, their_compass)

    bare = (coverage < 1).nonzero()[:, 0]
    who = take(owner, bare)
    fall = take((COS * view[1] - ground[:, None]).flatten(), bare) / SIN  # way to the ground
    floor = torch.ones_like(coverage)
    p = take(origin, bare) - take(eye, who) * fall
    floor[bare] = floor_light(kind, p, take(details, who), take(lamp, who))
    return depth.view(n, -1), coverage.view(n, -1), colour.view(3, n, -1), floor.view(n, -1)


# The picture


def backdrop(colours: Sequence[tuple], u: Tensor, v: Tensor, floor: Tensor) -> Tensor:
    """The ground and the wall of n pictures of these colours, without a seam: (3, n, rays)."""
    base = torch.tensor(colours).T[:, :, None]
    glow = torch.exp(-0.8 * (u * u + (v - 0.2) ** 2))  # a pool of light, and corners a little darker
    return (base * (0.86 + 0.16 * glow) + 0.05 * glow) * floor


def picture_points(size: int) -> tuple[Tensor, Tensor]:
    """Where the rays of a picture of this size meet it, four a pixel: u (right) and v (up), (2 size, 2 size) each.

    Raises ValueError if size is not a whole number from 8 to 1024.
    """
    if not isinstance(size, int) or not 8 <= size <= 1024:
        raise ValueError(f"size={size!r} is no picture width; choose a whole number from 8 to 1024.")
    line = (torch.arange(2 * size) + 0.5) / (2 * size) * 2 - 1
    return torch.meshgrid(line, -line, indexing="xy")


def draw(fruits: Sequence[Fruit], size: int = 32) -> Pictures:
    """Pictures of this size; a Fruit looks the same whatever its neighbours.

    Raises ValueError if there is no fruit, or as `picture_points`.
    """
    if not fruits:
        raise ValueError("draw got no fruit, but needs at least one; try draw([Fruit('apple', 'red')]).")
    across, up = picture_points(size)
    fine = 2 * size
    pictures = torch.empty(len(fruits), 3, size, size)
    at_once, rows = max(1, RAYS // fine**2), min(size, max(1, RAYS // (2 * fine)))
    for kind in KINDS:
        members = [i for i, f in enumerate(fruits) if f.kind == kind]
        for few in (members[i : i + at_once] for i in range(0, len(members), at_once)):
            some = [fruits[i] for i in few]
            for top in range(0, size, rows):
                u, v = (points[2 * top : 2 * (top + rows)].reshape(-1) for points in (across, up))
                _, coverage, colour, floor = layers(some, u, v, 2 / fine)
                behind = backdrop([BACKDROPS[f.background] for f in some], u, v, floor)
                seen = torch.lerp(behind, colour, coverage).transpose(0, 1).reshape(len(some), 3, -1, fine)
                pictures[few, :, top : top + rows] = torch.nn.functional.avg_pool2d(seen, 2) * 2 - 1
    return pictures.clamp_(-1, 1)
