import pytest
import torch

from finsta.models.backbones.blocks import ConvStem, PixelNorm, ResidualTransformer, masked_mean


@pytest.mark.parametrize('patch', [4, 8, 12, 16, 32])
def test_conv_stem_looks_at_the_middle_of_its_cell(patch):
    stem = ConvStem(16, patch).eval()
    x = torch.zeros(1, 3, 5 * patch, 5 * patch, requires_grad=True)
    for parameter in stem.parameters():  # all positive: the gradient is the receptive field
        parameter.data.abs_().add_(0.01)
    y = stem(x)
    assert y.shape == (1, 16, 5, 5)
    y[0, :, 2, 2].sum().backward()
    seen = x.grad.abs().sum((0, 1)).sum(1).nonzero().flatten()
    middle = (int(seen[0]) + int(seen[-1])) / 2
    assert abs(middle - (2.5 * patch - 0.5)) <= 1
    assert seen[0] >= patch and seen[-1] < 4 * patch
    with pytest.raises(ValueError, match='patch_size'):
        ConvStem(16, 7)


def test_pixel_norm_resizes_and_normalises_without_changing_its_input():
    norm = PixelNorm((8, 8), (0.5, 0.25, 0.0), (0.5, 0.5, 1.0))
    frames = torch.full((1, 2, 3, 32, 32), 255, dtype=torch.uint8)
    out = norm(frames)
    assert out.shape == (1, 2, 3, 8, 8) and out.dtype == torch.float32
    torch.testing.assert_close(out[0, 0, :, 0, 0], torch.tensor([1.0, 1.5, 1.0]))
    assert frames.eq(255).all()
    with pytest.raises(ValueError, match=r'\(B, F, 3, H, W\)'):
        norm(torch.zeros(2, 3, 8, 8))


def test_masked_mean_counts_valid_entries_only():
    x = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [6.0], [7.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(x, mask).tolist() == [[2.0], [0.0]]


def test_residual_transformer_ignores_padding():
    blocks = ResidualTransformer(16, 2, 2).eval()
    x = torch.randn(2, 5, 16)
    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    torch.testing.assert_close(blocks(x, padding)[1, :3], blocks(x[1:, :3])[0],
                               rtol=1e-5, atol=1e-6)
