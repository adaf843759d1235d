"""Training on pictures at hand, in one call; the tests use it too."""

from collections.abc import Iterator

from torch import Tensor

from course_lib.train import Report, Run, random_batches, train


def train_on(
    run: Run, x0: Tensor, tokens: Tensor, *, batch_size: int = 64, flip: bool = False, **how
) -> Iterator[Report]:
    """`train` on `random_batches` of these pictures and captions; `how` is for `train`."""
    return train(run, random_batches(x0, tokens, run.generator, batch_size=batch_size, flip=flip), **how)
