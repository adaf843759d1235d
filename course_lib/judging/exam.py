"""The exam that both worlds sit: groups of captions, pictures of them, all from the noise of one seed."""

from collections.abc import Mapping

import torch

from course_lib.noise import Model, Pictures, Tokens
from course_lib.sample import generate
from course_lib.tools.bars import Bar, no_bar


def generate_many(model: Model, tokens: Tokens, bar: Bar = no_bar, at_once: int = 64, **options) -> Pictures:
    """`generate` with its options, so many pictures at once."""
    return torch.cat([generate(model, part, **options) for part in bar(tokens.split(at_once))])


def examine(
    model: Model, tokens: Mapping[str, Tokens], *, seed: int = 0, bar: Bar = no_bar, **options
) -> dict[str, Pictures]:
    """The pictures of each group of captions; options as for `sample`."""
    generator = torch.Generator().manual_seed(seed)
    made = generate_many(model, torch.cat([*tokens.values()]), bar, generator=generator, **options)
    return dict(zip(tokens, made.split([len(part) for part in tokens.values()]), strict=True))
