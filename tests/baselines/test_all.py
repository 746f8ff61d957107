import pytest
import torch

from bench.distiller import METHODS


@pytest.mark.parametrize("name", ["scratch", "output_kd", "fitnet"])
def test_training_reaches_every_parameter_and_lowers_the_loss(name, make_network, teachers, lesson):
    distiller = METHODS[name](make_network(3, 4), teachers, METHODS[name].Config())
    optimizer = torch.optim.Adam(distiller.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        loss = torch.stack(list(distiller(lesson).values())).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad.abs().sum() > 0 for parameter in distiller.parameters())
        optimizer.step()
    assert losses[-1] < losses[0]
    assert all(parameter.grad is None for parameter in teachers["removal"].parameters())
