"""Change a picture that is there: go back a part of the road, keep what is known, listen to two captions at once."""

from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor

from course_lib.noise import Model, Pictures, Tokens, add_noise, check_number, check_tokens
from course_lib.sample import Frame, denoise_step, guided, sampling_of


@torch.no_grad()
def edit(
    model: Model,
    x0: Pictures,
    tokens: Tokens,
    start: float,
    *,
    generator: torch.Generator,
    steps: int | None = None,
    guidance_scale: float | None = None,
) -> Iterator[Frame]:
    """Add noise to pictures up to the level `start`, and sample from there, with a caption for each.

    start: from 0.01 to 1, where nothing of the old pictures is left. steps: those of a whole road, from t = 1, of which
    the part below `start` is gone; as guidance_scale, None: as the model was made for. Yields frames as `sample` does,
    the first at `start`. Raises ValueError as `sample` and `add_noise`, and for a start out of range.

    Source: SDEdit, Meng et al. 2022 (arXiv:2108.01073), algorithm 1, with the step of `denoise_step`.
    """
    usual = sampling_of(model)
    check_tokens(tokens, generator)
    check_number("start", start, 0.01, 1, "finite")
    check_number("steps", steps := usual.steps if steps is None else steps, 1, 1000)
    w = usual.guidance_scale if guidance_scale is None else guidance_scale
    check_number("guidance_scale", w, -1000, 1000, "finite")
    levels = torch.linspace(start, 0, max(1, round(steps * start)) + 1).tolist()
    x_t = add_noise(x0, start, torch.randn(x0.shape, generator=generator))
    for t, s in zip(levels[:-1], levels[1:], strict=True):
        x0_hat = guided(model, x_t, t, tokens, w)
        yield Frame(t, x_t, x0_hat)
        x_t = denoise_step(x_t, x0_hat, t, s)
    yield Frame(0.0, x_t, x_t)


def edited(model: Model, x0: Pictures, tokens: Tokens, start: float, **options) -> Pictures:
    """The last pictures of `edit`. Options as there."""
    return deque(edit(model, x0, tokens, start, **options), maxlen=1).pop().x_t


def put_back(x_s: Pictures, x0: Pictures, eps: Pictures, s: float, known: Tensor) -> Pictures:
    """Where `known`, the old picture at the noise level s: (1 - s) x0 + s eps; elsewhere x_s.

    known: bool, of a shape that fits the pictures, such as (1, 1, H, W). Raises as `add_noise`.

    Source: RePaint, Lugmayr et al. 2022 (arXiv:2201.09865), eq. 8.
    """
    return torch.where(known, add_noise(x0, s, eps), x_s)


def both(u: Pictures, a: Pictures, b: Pictures, w: float) -> Pictures:
    """The guess for two captions at once: x0_hat = u + w (a - u) + w (b - u).

    u is the guess without words, a and b are those for one caption each. A caption that says nothing, a = u, leaves
    the guidance of the other alone as it is.

    Source: Liu et al. 2022 (arXiv:2206.01714), the conjunction of concepts, there with the noise guessed.
    """
    return u + w * (a - u) + w * (b - u)


def back_up(x_s: Pictures, s: float, t: float, z: Pictures) -> Pictures:
    """Noisy pictures at the level s, made noisier, to the level t: x_t = k x_s + sqrt(t^2 - k^2 s^2) z.

    k = (1 - t)/(1 - s) makes the picture's part 1 - t again, and z ~ N(0, I) adds what noise is missing. Raises
    ValueError unless 0 <= s < t <= 1.

    Source: one step of the forward process, Lugmayr et al. 2022 (arXiv:2201.09865), section 4.2, in this notation.
    """
    if not 0 <= s < t <= 1:
        raise ValueError(f"The way back goes up from s to t, but s = {s:.3g} and t = {t:.3g}.")
    k = (1 - t) / (1 - s)
    return k * x_s + (t**2 - k**2 * s**2) ** 0.5 * z


@torch.no_grad()
def repaint(
    model: Model,
    x0: Pictures,
    known: Tensor,
    tokens: Tokens,
    *,
    generator: torch.Generator,
    steps: int = 25,
    guidance_scale: float = 2.0,
    times: int = 1,
) -> Pictures:
    """Keep pictures where `known`, and paint the rest again.

    Each step is gone `times` times: between, `back_up` undoes it, so that the known part, which is put back every time,
    and the new part can agree. Raises ValueError as `sample` and `add_noise`.

    Source: RePaint, Lugmayr et al. 2022 (arXiv:2201.09865), algorithm 1, with jumps of one step.
    """
    check_tokens(tokens, generator)
    check_number("times", times, 1, 100)
    levels = torch.linspace(1, 0, steps + 1).tolist()

    def noise() -> Tensor:
        return torch.randn(x0.shape, generator=generator)

    x_t = noise()
    for t, s in zip(levels[:-1], levels[1:], strict=True):
        for again in reversed(range(times)):
            x_s = denoise_step(x_t, guided(model, x_t, t, tokens, guidance_scale), t, s)
            x_s = put_back(x_s, x0, noise(), s, known)
            x_t = back_up(x_s, s, t, noise()) if again and s else x_s
            if not s:
                break
    return x_t


def greenish(x: Pictures) -> Tensor:
    """Where pictures are more green than red and than blue: (B, H, W) bool."""
    return x[:, 1] > x[:, ::2].amax(1) + 0.06


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """How much two areas, (B, H, W) bool, have in common, of all that either covers: (B,) in [0, 1].

    1 where they are the same, and where both are empty. Source: Jaccard 1901, "intersection over union".
    """
    common, either = ((part.flatten(1)).sum(1) for part in (a & b, a | b))
    return torch.where(either == 0, 1.0, common / either.clamp(min=1))
