"""What big systems add to the core: attention, better steps, distillation, other notations. The core needs none."""
