import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler

from course_lib.beyond import convert
from course_lib.noise import add_noise, noise_levels, signal_to_noise
from course_lib.sample import denoise_step

G = torch.Generator().manual_seed(0)
X0 = torch.rand(4, 3, 6, 6, generator=G, dtype=torch.float64) * 2 - 1
EPS = torch.randn(X0.shape, generator=G, dtype=torch.float64)
T = torch.tensor([0.02, 0.3, 0.7, 0.98], dtype=torch.float64)
X_T = add_noise(X0, T, EPS)
FOUR = T[:, None, None, None]
NAMES = ["eps", "velocity", "score", "v"]


def pair(name):
    return getattr(convert, f"{name}_from_x0"), getattr(convert, f"x0_from_{name}")


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back_again(name):
    there, back = pair(name)
    guess = torch.randn(X0.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(back(X_T, there(X_T, guess, T), T), guess)


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("eps", EPS),
        ("velocity", EPS - X0),
        ("score", -EPS / FOUR),
        ("v", ((1 - FOUR) * EPS - FOUR * X0) / convert.scale(FOUR)),
    ],
)
def test_the_true_picture_gives_the_true_answer(name, truth):
    torch.testing.assert_close(pair(name)[0](X_T, X0, T), truth)


def test_the_velocity_is_how_the_road_changes():
    ahead, behind = add_noise(X0, T + 0.01, EPS), add_noise(X0, T - 0.01, EPS)
    torch.testing.assert_close(convert.velocity_from_x0(X_T, X0, T), (ahead - behind) / 0.02)


def test_the_velocity_makes_the_step_of_the_course():
    velocity = convert.velocity_from_x0(X_T, X0 / 2, T)
    torch.testing.assert_close(X_T + (T / 2 - T)[:, None, None, None] * velocity, denoise_step(X_T, X0 / 2, T, T / 2))


def test_the_score_is_the_gradient_of_the_log_density():
    # one dimension at a time: x0 ~ N(m, 1) gives x_t ~ N((1 - t) m, scale^2), and the best guess is known
    t, m = 0.3, 0.2
    x_t = X_T[:1].clone().requires_grad_()
    variance = convert.scale(t).item() ** 2
    gradient = torch.autograd.grad((-((x_t - (1 - t) * m) ** 2) / (2 * variance)).sum(), x_t)[0]
    best = m + (1 - t) / variance * (x_t.detach() - (1 - t) * m)
    torch.testing.assert_close(convert.score_from_x0(x_t.detach(), best, t), gradient)


@pytest.mark.parametrize("name", NAMES)
def test_at_zero_there_is_no_noise_to_guess(name):
    there, back = pair(name)
    with pytest.raises(ValueError, match="At t = 0 x_t is the clean picture and holds no noise"):
        there(X_T, X0, torch.tensor([0.5, 0.0, 0.5, 0.5]))
    torch.testing.assert_close(back(X0, EPS, 0.0), X0)


@pytest.mark.parametrize("name", NAMES)
def test_at_one_the_noise_says_nothing_about_the_picture(name):
    there, back = pair(name)
    answer = there(EPS, X0, 1.0)
    assert answer.isfinite().all()
    if name in ("eps", "score"):
        with pytest.raises(ValueError, match="At t = 1 x_t is pure noise and holds no picture"):
            back(EPS, answer, 1.0)
    else:
        torch.testing.assert_close(back(EPS, answer, 1.0), X0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("t", [-0.1, 1.1, float("nan"), torch.ones(3)])
def test_levels_off_the_road_are_refused(name, t):
    for function in pair(name):
        with pytest.raises(ValueError, match="noise level|one number"):
            function(X_T, X0, t)


@pytest.mark.parametrize("name", NAMES)
def test_one_level_for_all_is_a_level_for_each(name):
    for function in pair(name):
        assert torch.equal(function(X_T, X0, 0.4), function(X_T, X0, torch.full((4,), 0.4, dtype=torch.float64)))


# levels


def test_divided_by_its_scale_x_t_has_unit_variance():
    x0, eps = (torch.randn(100_000, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    for t in (0.0, 0.2, 0.5, 0.9, 1.0):
        assert (((1 - t) * x0 + t * eps) / convert.scale(t)).var().item() == pytest.approx(1, abs=0.02)


def test_alpha_bar_is_the_share_of_the_picture():
    t = noise_levels(20).double()
    share = convert.alpha_bar(t)
    assert share[0] == 0 and share[-1] == 1 and (share.diff() > 0).all()
    inner = t[1:-1]
    torch.testing.assert_close(share[1:-1] / (1 - share[1:-1]), signal_to_noise(inner).double(), rtol=1e-5, atol=0)
    z = share[5].sqrt() * X0 + (1 - share[5]).sqrt() * EPS
    torch.testing.assert_close(add_noise(X0, t[5], EPS) / convert.scale(t[5]), z, atol=1e-6, rtol=0)


def test_levels_come_back_from_alpha_bar_and_from_sigma():
    t = torch.linspace(0, 1, 21, dtype=torch.float64)
    torch.testing.assert_close(convert.level_from_alpha_bar(convert.alpha_bar(t)), t)
    torch.testing.assert_close(convert.level_from_sigma(convert.sigma(t)), t)
    assert convert.sigma(1.0).isinf() and convert.sigma(0.0) == 0 and convert.sigma(0.5) == 1
    assert convert.level_from_sigma(float("inf")) == 1 and convert.alpha_bar(1.0) == 0


@pytest.mark.parametrize("function", [convert.scale, convert.alpha_bar, convert.sigma])
@pytest.mark.parametrize("t", [-0.1, 1.1, float("nan")])
def test_levels_must_be_levels(function, t):
    with pytest.raises(ValueError, match="noise level"):
        function(t)


def test_what_is_no_alpha_bar_or_sigma_is_refused():
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="alpha_bar must lie in"):
            convert.level_from_alpha_bar(value)
    for value in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="0 or more"):
            convert.level_from_sigma(value)


# agreement with diffusers


def test_ddpm_in_diffusers_has_the_same_v_and_the_same_noisy_pictures():
    ddpm = DDPMScheduler()
    at = torch.tensor([3, 250, 600, 999])
    t = convert.level_from_alpha_bar(ddpm.alphas_cumprod[at].double())
    z = ddpm.add_noise(X0, EPS, at)
    x_t = z * convert.scale(t)[:, None, None, None]
    torch.testing.assert_close(x_t, add_noise(X0, t, EPS), atol=1e-6, rtol=0)
    torch.testing.assert_close(convert.v_from_x0(x_t, X0, t), ddpm.get_velocity(X0, EPS, at), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("kind", "name"), [("epsilon", "eps"), ("v_prediction", "v")])
@pytest.mark.parametrize("at", [20, 480, 900])
def test_ddim_in_diffusers_finds_the_same_clean_picture_in_our_answers(kind, name, at):
    ddim = DDIMScheduler(prediction_type=kind, clip_sample=False)
    ddim.set_timesteps(50)
    t = convert.level_from_alpha_bar(ddim.alphas_cumprod[at].double()).item()
    x_t = add_noise(X0, t, EPS)
    answer = pair(name)[0](x_t, X0 / 2, t)
    found = ddim.step(answer, at, x_t / convert.scale(t)).pred_original_sample
    torch.testing.assert_close(found, X0 / 2, atol=1e-5, rtol=0)


def test_sigma_is_that_of_the_euler_scheduler_in_diffusers():
    euler = EulerDiscreteScheduler(timestep_spacing="leading")
    ours = convert.sigma(convert.level_from_alpha_bar(euler.alphas_cumprod.double()))
    theirs = ((1 - euler.alphas_cumprod) / euler.alphas_cumprod).sqrt().double()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert euler.sigmas.max().item() == pytest.approx(ours.max().item(), rel=1e-4)
