import pytest
import scipy.linalg
import torch

from course_lib.judging.judge import Judge
from course_lib.judging.measure import (
    benchmark,
    diversity,
    error_by_level,
    frechet_distance,
    frechet_distance_1d,
    nearest,
)
from course_lib.judging.scene_judge import SceneJudge


def test_the_nearest_picture_to_a_copy_is_the_original():
    pictures = torch.rand(50, 3, 8, 8) * 2 - 1
    distance, index = nearest(pictures[[7, 3]], pictures, count=2)
    assert index[:, 0].tolist() == [7, 3] and distance.shape == (2, 2)
    assert (distance[:, 0] == 0).all() and (distance[:, 1] > 0.1).all()


def test_the_nearest_are_those_of_all_distances_one_by_one_and_near_ones_are_told_apart():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(60, 3, 8, 8, generator=generator) * 2 - 1
    for i in range(3):
        pictures[10 + i] = pictures[7] * (1 - 1e-5 * (i + 1))  # nearer than a quick distance can tell
    x = torch.cat([pictures[[7, 3]], torch.rand(4, 3, 8, 8, generator=generator) * 2 - 1])
    distance, index = nearest(x, pictures, count=4)
    every = (x[:, None].double() - pictures.double()).square().flatten(2).mean(2).sqrt()
    torch.testing.assert_close(distance.double(), every.sort(1).values[:, :4], rtol=1e-4, atol=1e-8)
    assert index[0].tolist() == [7, 10, 11, 12] and torch.equal(index, every.argsort(1)[:, :4])
    assert nearest(x[:0], pictures)[0].shape == (0, 1)


def test_the_distance_is_the_root_mean_square_difference():
    x, pictures = torch.full((1, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), -0.25)
    assert nearest(x, pictures)[0].item() == pytest.approx(0.75)


def test_generated_pictures_that_leave_the_range_are_their_own_nearest():
    made = 2 * torch.randn(9, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for x in (made, made.double(), made.half()):
        distance, index = nearest(x, x)
        assert (distance == 0).all() and distance.dtype == torch.float32 and index[:, 0].tolist() == [*range(9)]


NO_PICTURES = [
    (lambda x: x.numpy(), "Pictures of shape .* are needed here, not of type ndarray"),
    (lambda x: x.tolist(), "not of type list"),
    (lambda x: x[0], r"are needed here, not a tensor of shape \(3, "),
    (lambda x: x[:, :1], "are needed here, not a tensor of shape"),
    (lambda x: x.byte(), "Pictures are float32.*For bytes write x / 127.5 - 1"),
    (lambda x: x.log(), "A picture holds nan, no number"),
]


@pytest.mark.parametrize(("change", "said"), NO_PICTURES)
@pytest.mark.parametrize(
    ("ask", "side"),
    [
        (lambda x: nearest(x, torch.zeros(2, 3, 32, 32)), 32),
        (lambda x: nearest(torch.zeros(2, 3, 32, 32), x), 32),
        (Judge(width=8).features, 32),
        (Judge(width=8).name, 32),
        (SceneJudge(width=8).features, 64),
        (SceneJudge(width=8).see, 64),
    ],
)
def test_what_are_no_pictures_is_told_in_a_sentence(ask, side, change, said):
    with pytest.raises(ValueError, match=said):
        ask(change(torch.full((2, 3, side, side), -0.5)))


@pytest.mark.parametrize(("judge", "side"), [(Judge(width=8), 32), (SceneJudge(width=8), 64)])
def test_a_judge_sees_the_same_in_doubles(judge, side):
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    assert torch.equal(judge.features(x.double()), judge.features(x))


def test_wrong_shapes_and_counts_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        nearest(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 4, 4))
    for count in (0, 3, 1.5, None):
        with pytest.raises(ValueError, match="count must be a whole number from 1 to 2"):
            nearest(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 8, 8), count=count)


def bell(count, features, seed):
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_moments(x, mean, std):
    """The same points, moved so that their mean and standard deviation are exactly these."""
    whitened = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T
    return whitened * torch.tensor(std) + torch.tensor(mean)


def test_the_same_features_are_at_no_distance():
    a = bell(300, 8, 0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a.flip(0)) == pytest.approx(0, abs=1e-9)


def test_two_bells_are_at_the_distance_of_the_closed_form():
    a = with_moments(bell(200, 3, 0), [0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    b = with_moments(bell(300, 3, 1), [1.0, 1.0, 0.0], [1.0, 0.5, 5.0])
    one_by_one = [frechet_distance_1d(0, 1, 1, 1), frechet_distance_1d(1, 2, 1, 0.5), frechet_distance_1d(2, 3, 0, 5)]
    assert one_by_one == [1, 2.25, 8]
    assert frechet_distance(a, b) == pytest.approx(sum(one_by_one))
    assert frechet_distance(a[:, :1], b[:, :1]) == pytest.approx(1)


def test_it_is_the_formula_with_scipys_matrix_root():
    mix = bell(6, 6, 2)
    a, b = bell(100, 6, 3) @ mix, bell(120, 6, 4) + 0.5
    c_a, c_b = a.T.cov().numpy(), b.T.cov().numpy()
    trace = (c_a + c_b - 2 * scipy.linalg.sqrtm(c_a @ c_b).real).trace()
    assert frechet_distance(a, b) == pytest.approx((a.mean(0) - b.mean(0)).square().sum().item() + trace)


def test_it_is_symmetric_and_blind_to_a_turn_of_the_axes_and_takes_float32():
    a, b = bell(50, 4, 5), 2 * bell(60, 4, 6) + 1
    turn = torch.linalg.qr(bell(4, 4, 7)).Q
    for other in (frechet_distance(b, a), frechet_distance(a @ turn, b @ turn)):
        assert frechet_distance(a, b) == pytest.approx(other)
    assert frechet_distance(a.float(), b.float()) == pytest.approx(frechet_distance(a, b), rel=1e-4)


def test_fewer_points_than_features_are_no_trouble_and_look_further_apart():
    far, near = (frechet_distance(bell(n, 32, 8), bell(n, 32, 9)) for n in (20, 2000))
    assert near < 1 < far < 100


def test_features_that_do_not_fit_are_refused():
    for a, b in ((bell(9, 4, 0), bell(9, 5, 0)), (bell(1, 4, 0), bell(9, 4, 0)), (bell(9, 4, 0)[0], bell(9, 4, 0))):
        with pytest.raises(ValueError, match=r"shape \(N, F\)"):
            frechet_distance(a, b)


def test_diversity_is_the_mean_distance_of_two():
    assert diversity(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])) == pytest.approx((5 + 0 + 5) / 3)
    assert diversity(torch.ones(4, 3)) == 0
    with pytest.raises(ValueError, match="two pictures"):
        diversity(torch.ones(1, 3))


def test_the_error_at_each_level_is_that_of_the_guess():
    x0 = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    tokens = torch.zeros(5, 12, dtype=torch.int64)

    def errors(model):
        return error_by_level(model, x0, tokens, [0.0, 0.5, 1.0], torch.Generator().manual_seed(0))

    assert errors(lambda x_t, t, tokens: x0) == [0, 0, 0]
    nothing = x0.square().mean().item()
    assert errors(lambda x_t, t, tokens: 0 * x_t) == pytest.approx([nothing] * 3)
    at_0, at_half, at_1 = errors(lambda x_t, t, tokens: x_t)
    assert at_0 == 0 and at_1 == pytest.approx(1 + nothing, rel=0.15)
    assert at_half == pytest.approx(at_1 / 4)  # x_t - x0 = t (eps - x0)


def test_a_benchmark_is_read_by_name_and_an_unknown_one_is_refused_with_those_there_are():
    rows = benchmark("results")
    assert 0 < rows["held_out right, shipped weights"]["value"] <= 1
    assert all(row["name"] == name and "settings" in row for name, row in rows.items())
    with pytest.raises(ValueError, match='no benchmark "result" in .* there are: .*results'):
        benchmark("result")
