"""The harness of the SLKD benchmark: trains, scores and tabulates knowledge distillation for image restoration."""
