"""A denoiser of the course as a pipeline of `diffusers`: `to_diffusers` writes this file, behind the core, to a folder.

The scheduler walks the same straight road, x_t = (1 - sigma) x0 + sigma eps, and is told where it goes: the velocity
v = (x_t - x0_hat) / sigma. So its Euler step is our `denoise_step`.
"""

from collections.abc import Sequence

import torch
from diffusers import ConfigMixin, DiffusionPipeline, ImagePipelineOutput, ModelMixin
from diffusers.configuration_utils import register_to_config

from course_lib.beyond.attention import SceneDenoiser
from course_lib.model import Denoiser, encode_for
from course_lib.noise import Levels, Pictures, Tokens, noise_levels
from course_lib.sample import Sampling, guided, sampling_of


class CourseDenoiser(ModelMixin, ConfigMixin):
    """A denoiser of the course, x0_hat = denoiser(x_t, t, tokens), as `diffusers` keeps networks.

    kind: "Denoiser" or "SceneDenoiser"; settings: its `config`.
    """

    @register_to_config
    def __init__(self, kind: str, settings: dict):
        super().__init__()
        self.network = {"Denoiser": Denoiser, "SceneDenoiser": SceneDenoiser}[kind](**settings)

    def forward(self, x_t: Pictures, t: Levels, tokens: Tokens) -> Pictures:
        """Guess the clean pictures; raises as `Denoiser.forward`."""
        return self.network(x_t, t, tokens)


class CoursePipeline(DiffusionPipeline):
    """From noise to pictures of what captions say, in words of the network's vocabulary."""

    model_cpu_offload_seq = "denoiser"

    def __init__(self, denoiser, scheduler):
        super().__init__()
        self.register_modules(denoiser=denoiser, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        generator: torch.Generator | None = None,
        num_images_per_prompt: int = 1,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: Sequence[float] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> ImagePipelineOutput | tuple:
        """Turn noise into pictures, `num_images_per_prompt` of each prompt.

        Args:
            prompt: one caption or several, in words of `pipe.denoiser.network.vocabulary`.
            generator: where the noise comes from; the same state gives the same pictures.
            num_inference_steps, guidance_scale, guidance_interval: None: as the network was made for. A scale that is
                given without an interval holds at all noise levels.
            output_type: "pil", "np", (B, H, W, 3) in [0, 1], or "pt", (B, 3, H, W) in [0, 1].

        Returns an `ImagePipelineOutput`, or the tuple (images,). Raises ValueError for a caption it cannot read.
        """
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f'output_type is "pil", "np" or "pt", not {output_type!r}.')
        network, device = self.denoiser.network, self.denoiser.device
        usual, captions = sampling_of(network), [prompt] if isinstance(prompt, str) else list(prompt)
        repeated = [caption for caption in captions for _ in range(num_images_per_prompt)]
        tokens = encode_for(network, repeated).to(device)
        low, high = guidance_interval or (usual if guidance_scale is None else Sampling()).guidance_interval
        w = usual.guidance_scale if guidance_scale is None else guidance_scale
        levels = noise_levels(num_inference_steps or usual.steps)[:-1]  # given none, it would stop short of the picture
        self.scheduler.set_timesteps(sigmas=levels.tolist(), device=device)
        where = "cpu" if generator is None else generator.device
        x_t = torch.randn(len(tokens), 3, usual.size, usual.size, generator=generator, device=where)
        x_t = x_t.to(device, self.denoiser.dtype)
        for i, timestep in enumerate(self.progress_bar(self.scheduler.timesteps)):
            t = float(self.scheduler.sigmas[i])
            x0_hat = guided(self.denoiser, x_t, t, tokens, w if low < t <= high else 1)
            velocity = (x_t - x0_hat).float() / t
            x_t = self.scheduler.step(velocity, timestep, x_t.float()).prev_sample.to(self.denoiser.dtype)
        images = (x_t.float() / 2 + 0.5).clamp(0, 1).cpu()
        if output_type != "pt":
            images = images.permute(0, 2, 3, 1).numpy()
        if output_type == "pil":
            images = self.numpy_to_pil(images)
        return ImagePipelineOutput(images=images) if return_dict else (images,)
