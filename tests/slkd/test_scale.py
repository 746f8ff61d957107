import torch

from slkd.scale import ScaleConversion, probe_loss


def test_levels_become_stacked_images_at_full_resolution():
    scale_conversion = ScaleConversion((4, 8, 16))
    features = tuple(torch.rand(2, 4 * 2**level, 32 >> level, 32 >> level) for level in range(3))
    images = scale_conversion(features)
    assert images.shape == (6, 3, 32, 32)
    # Level 1 holds 2x2 pixels per feature vector, in the order of a pixel shuffle.
    vector = features[1][1, :, 3, 5]
    expected = scale_conversion.projections[1](vector[None, :, None, None]).view(3, 2, 2)
    torch.testing.assert_close(images[3, :, 6:8, 10:12], expected)


def test_probes_learn_what_their_features_hold():
    torch.manual_seed(0)
    target = torch.rand(2, 3, 16, 16)
    mixed = torch.einsum("ck,nkhw->nchw", torch.randn(6, 3), target)
    probe = ScaleConversion((6,))
    optimizer = torch.optim.Adam(probe.parameters(), 0.05)
    for _ in range(100):
        loss = probe_loss(probe((mixed,)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-2


def test_probe_loss_compares_each_level_with_its_own_sample():
    target = torch.rand(2, 3, 8, 8)
    assert probe_loss(torch.cat([target, target, target]), target) == 0
    assert probe_loss(torch.cat([target, target.flip(0)]), target) > 0
