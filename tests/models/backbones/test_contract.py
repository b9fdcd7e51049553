"""What every backbone promises, checked on one-layer hosts of all that are registered."""

import inspect

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from finsta.models import FinstaModel
from finsta.models.backbones import BackboneFeatures, VideoLanguageBackbone, load_backbone
from finsta.models.backbones.base import STREAMS
from finsta.models.backbones.checkpoint import read_state_dict
from finsta.registry import BACKBONES
from finsta.structures import alike
from tests.models.backbones.hosts import FRAMES, HOSTS, PATCH, SIZE, build
from tests.models.tiny import TEACHER, TRANSFER, batch

TEXTS = ['The red circle moves slowly to the left', 'a zebra', 'what hits the blue square?']
CELLS = SIZE // PATCH
each_host = pytest.mark.parametrize('name', sorted(HOSTS))


def frames(batch: int = 3, number: int = FRAMES, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, number, 3, SIZE, SIZE), dtype=torch.uint8,
                         generator=generator)


def encode(host: VideoLanguageBackbone, texts=TEXTS, pixels=None, mask=None):
    pixels = frames(len(texts)) if pixels is None else pixels
    return host.encode_text(texts), host.encode_video(host.preprocess_frames(pixels), mask)


def tensors(features: BackboneFeatures) -> dict[str, torch.Tensor]:
    return {k: v for k, v in vars(features).items() if isinstance(v, torch.Tensor)}


def test_every_registered_backbone_has_a_host():
    BACKBONES.import_from_location()
    registered = {n for n, c in BACKBONES.module_dict.items() if inspect.isclass(c)}
    assert registered == {cfg['type'] for cfg in HOSTS.values()}


@each_host
@torch.no_grad()
def test_shapes_follow_the_declaration(name):
    host = build(name)
    text, video = encode(host)
    assert set(host.streams) <= set(STREAMS) and set(host.dims) == set(host.streams)
    b, length = text.text_mask.shape
    assert text.text.shape == (b, length, host.dims['text'])
    assert text.text_offsets.shape == (b, length, 2)
    assert text.text_pooled.shape == video.video_pooled.shape == (3, host.embed_dim)
    cells = video.grid.height * video.grid.width
    assert (video.grid.height, video.grid.width) == (CELLS, CELLS)
    assert video.video.shape == (3, FRAMES, cells, host.dims['video'])
    assert video.grid.frames_of_cell == tuple((i,) for i in range(FRAMES))
    assert video.video_mask.all() and video.video_mask.shape == (3, FRAMES)
    if video.frame_pooled is not None:
        assert video.frame_pooled.shape == (3, FRAMES, host.embed_dim)
    assert host.joint_features(text, video).shape == (3, host.joint_dim)
    if 'cross' in host.streams:
        fused = host.fuse(text, video)
        assert fused.fused.shape == (*fused.fused_mask.shape, host.dims['cross'])
        assert fused.fused_pooled.shape == (3, host.dims['cross'])
        start, end = fused.fused_text
        assert end - start == length
        assert torch.equal(fused.fused_mask[:, start:end], text.text_mask)
        if fused.fused_video is not None:
            start, end = fused.fused_video
            assert end - start in (cells, FRAMES * cells)


@each_host
@torch.no_grad()
def test_pixels_of_a_cell_move_that_cell_most(name):
    host = build(name)
    # on average over clips: a conv stem's cells overlap, so single clips are noisy
    pixels = frames(12)
    before = host.encode_video(host.preprocess_frames(pixels)).video
    for t, i, j in ((0, 0, 0), (1, 2, 1), (2, 1, 2), (FRAMES - 1, CELLS - 1, 0)):
        changed = pixels.clone()
        patch = changed[:, t, :, i * PATCH:(i + 1) * PATCH, j * PATCH:(j + 1) * PATCH]
        patch.copy_(255 - patch)
        after = host.encode_video(host.preprocess_frames(changed)).video
        moved = (after - before).norm(dim=-1).mean(0)
        assert divmod(int(moved.argmax()), CELLS * CELLS) == (t, i * CELLS + j)


@each_host
@torch.no_grad()
def test_padding_changes_nothing(name):
    host = build(name)
    pixels = frames(1, 3)
    alone_text, alone_video = encode(host, [TEXTS[1]], pixels)
    padded = torch.cat([frames(2, 5), torch.cat([pixels, frames(1, 2, seed=7)], 1)])
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[2, 3:] = False
    text, video = encode(host, [TEXTS[0], TEXTS[2], TEXTS[1]], padded, mask)
    length = alone_text.text.shape[1]
    pairs = [(text.text[2, :length], alone_text.text[0]),
             (text.text_pooled[2], alone_text.text_pooled[0]),
             (video.video[2, :3], alone_video.video[0]),
             (video.video_pooled[2], alone_video.video_pooled[0])]
    assert not text.text_mask[2, length:].any()
    if video.frame_pooled is not None:
        pairs.append((video.frame_pooled[2, :3], alone_video.frame_pooled[0]))
    if 'cross' in host.streams:
        fused, alone = host.fuse(text, video), host.fuse(alone_text, alone_video)
        start, own = fused.fused_text[0], alone.fused_text[0]
        pairs += [(fused.fused_pooled[2], alone.fused_pooled[0]),
                  (fused.fused[2, start:start + length], alone.fused[0, own:own + length])]
    for padded_value, value in pairs:
        torch.testing.assert_close(padded_value, value, rtol=1e-4, atol=1e-5)


@each_host
def test_a_video_without_frames_is_refused(name):
    mask = torch.ones(2, FRAMES, dtype=torch.bool)
    mask[1] = False
    host = build(name)
    with pytest.raises(ValueError, match=r'\[1\].*no frame'):
        host.encode_video(host.preprocess_frames(frames(2)), mask)


@each_host
def test_the_host_loss_reaches_every_parameter(name):
    host = build(name, train=True)
    losses = host.host_loss(*encode(host))
    assert losses and all(k.startswith('loss_') and v.dim() == 0 for k, v in losses.items())
    sum(losses.values()).backward()
    groups = host.param_groups()
    declared = {id(p) for group in groups.values() for p in group}
    trainable = {id(p): n for n, p in host.named_parameters() if p.requires_grad}
    assert declared == set(trainable)
    assert [n for n, p in host.named_parameters() if p.requires_grad and p.grad is None] == []
    for group, parameters in groups.items():
        if not (group == 'other' and name == 'VideoLLaVA'):
            assert sum(float(p.grad.abs().sum()) for p in parameters) > 0, group


@each_host
@torch.no_grad()
def test_saved_alone_and_loaded_it_is_the_same(name, tmp_path):
    host = build(name)
    for parameter in host.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
    text, video = encode(host)
    host.save(tmp_path / 'saved', dict(seed=0))
    loaded = load_backbone(tmp_path / 'saved').eval()
    assert type(loaded) is type(host) and loaded.cfg == host.cfg
    for old, new in zip((text, video), encode(loaded), strict=True):
        for key, value in tensors(old).items():
            assert torch.equal(value, tensors(new)[key]), key


@each_host
def test_different_videos_by_name_change_no_bit_of_the_host_loss(name):
    host = build(name)
    text, video = encode(host, [*TEXTS, 'the blue circle moves'], frames(3))
    found = []
    for groups in ((), (None,), (torch.tensor([7, -2, 5]),)):
        torch.manual_seed(3)
        losses = host.host_loss(text, video, *groups)
        found.append((losses, torch.get_rng_state()))
    for losses, state in found[1:]:
        assert same(losses, found[0][0]) and torch.equal(state, found[0][1])


@each_host
@pytest.mark.parametrize('groups', [[4, 4, 9], [4, 4, 4], [[4, 1], [8, 1], [9, 2]],
                                    [[4, 1], [4, 2], [9, 1]]])
def test_captions_of_one_video_or_text_are_no_negatives_of_each_other(name, groups):
    host = build(name)
    pixels = frames(3)
    pixels[1] = pixels[0]
    text, video = encode(host, TEXTS, pixels)
    given = torch.tensor(groups)
    losses = host.host_loss(text, video, given)
    assert all(torch.isfinite(v) for v in losses.values())
    if 'loss_itc' in losses:
        logits = host.logit_scale() * host.similarity(text, video)
        share = alike(given, given).float()
        share = share / share.sum(1, keepdim=True)
        expected = -sum((share * x.log_softmax(1)).sum() for x in (logits, logits.T)) / 6
        torch.testing.assert_close(losses['loss_itc'], expected, rtol=1e-4, atol=1e-5)
    if hasattr(host, 'losses') or 'loss_itc' in losses:
        with pytest.raises(ValueError, match='each of the 3 pairs, got 2'):
            host.host_loss(text, video, given[:2])
    sum(losses.values()).backward()


def test_a_pair_that_is_like_all_others_takes_no_negatives_from_the_rest(monkeypatch):
    """Row 0 shares its video with row 1 and its text with row 2, which are strangers."""
    host = build('ALPRO')
    text, video = encode(host, TEXTS, frames(3))
    asked = []
    monkeypatch.setattr(host, 'match_logits', lambda text, video: asked.append(
        (text.text_pooled, video.video_pooled)) or torch.zeros(len(text.text), 2))
    host.host_loss(text, video, torch.tensor([[1, 1], [1, 2], [2, 1]]))
    (texts, videos), = asked
    rows = [[int((x == y).all(1).nonzero()) for y in found]
            for x, found in ((text.text_pooled, texts), (video.video_pooled, videos))]
    assert list(zip(*rows, strict=True)) == [(0, 0), (1, 1), (2, 2), (2, 1), (1, 2), (1, 2),
                                             (2, 1)]


class _Record(TorchDispatchMode):
    """Names and shapes of every tensor operation that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.calls.append((str(func), tuple(out.shape) if isinstance(out, torch.Tensor) else None))
        return out


@torch.no_grad()
def answers(host: VideoLanguageBackbone) -> tuple[list[tuple], dict[str, torch.Tensor]]:
    """Every operation of the host in evaluation mode, and all that it hands out."""
    host.eval()
    with _Record() as record:
        text, video = encode(host)
        out = {**tensors(text), **tensors(video), 'similarity': host.similarity(text, video),
               'joint': host.joint_features(text, video)}
        if 'cross' in host.streams:
            out |= tensors(host.fuse(text, video))
        out['choices'] = host.score_choices([['red', 'a blue star']] * 3,
                                            host.preprocess_frames(frames(3)))
    return record.calls, out


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return list(left) == list(right) and all(torch.equal(v, right[k]) for k, v in left.items())


@each_host
def test_post_training_leaves_nothing_behind(name, tmp_path):
    torch.manual_seed(0)
    plain = BACKBONES.build(HOSTS[name])
    torch.manual_seed(0)
    model = FinstaModel(HOSTS[name], teacher=TEACHER, transfer=TRANSFER)
    assert same(plain.state_dict(), model.backbone.state_dict())
    before = answers(plain)[1]
    assert same(answers(model.backbone)[1], before)

    losses = model.train()(**batch(), mode='loss')
    assert {'loss_osc', 'loss_ptc', 'loss_pooled_video', 'loss_node_video'} <= set(losses)
    sum(v for k, v in losses.items() if k.startswith('loss')).backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    model.backbone.save(tmp_path)

    state = read_state_dict(tmp_path / 'model.safetensors')
    assert set(state) == set(plain.state_dict())
    fresh = BACKBONES.build(HOSTS[name])
    fresh.load_state_dict(state, strict=True)
    inside, alone = answers(model.backbone), answers(fresh)
    assert inside[0] == alone[0]
    assert same(inside[1], alone[1])
    assert not same(alone[1], before)  # the step did change the backbone


@each_host
def test_runs_under_bf16_autocast(name):
    host = build(name, train=True)
    with torch.autocast('cpu', torch.bfloat16):
        text, video = encode(host)
        loss = sum(host.host_loss(text, video).values())
        joint, scores = host.joint_features(text, video), host.similarity(text, video)
    assert scores.dtype == torch.float32
    assert torch.isfinite(loss) and torch.isfinite(joint.float()).all()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in host.parameters() if p.grad is not None)


@each_host
@torch.no_grad()
def test_offsets_place_every_token(name):
    host = build(name)
    texts = ['The Red circle, slowly!', '', 'Zebra  xylophone <video>']
    out = host.tokenize(texts, 'cpu')
    tokens = [host.tokenizer.convert_ids_to_tokens(row) for row in out['input_ids'].tolist()]
    for text, row, offsets, mask in zip(texts, tokens, out['offsets'].tolist(),
                                        out['attention_mask'].tolist(), strict=True):
        covered = ''
        for token, (start, end), valid in zip(row, offsets, mask, strict=True):
            if end > start:
                assert valid
                assert text[start:end].lower() == token.removeprefix('##')
                covered += text[start:end]
        assert covered == ''.join(text.split())


@each_host
@torch.no_grad()
def test_similarity_is_all_against_all(name):
    host = build(name)
    text, video = encode(host, [*TEXTS, 'a green star'], frames(3))[0], encode(host)[1]
    scores = host.similarity(text, video)
    assert scores.shape == (4, 3) and scores.dtype == torch.float32
    assert scores.abs().max() <= 1 + 1e-5
    assert host.logit_scale().dim() == 0 and host.logit_scale() > 0
    expected = text.text_pooled @ video.video_pooled.T
    if video.video_queries is not None:  # scored by the best of several vectors
        expected = (text.text_pooled @ video.video_queries.mT).amax(-1).T
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)


@each_host
@torch.no_grad()
def test_extra_text_rows_are_negatives_of_videos_only(name):
    host = build(name)
    text, video = encode(host, [*TEXTS, 'the blue circle moves', 'nothing'], frames(3))
    own = text.select(torch.arange(3))
    with_extra, without = host.host_loss(text, video), host.host_loss(own, video)
    if 'loss_itc' in with_extra:
        logits = host.logit_scale() * host.similarity(text, video)
        target = torch.arange(3)
        expected = (torch.nn.functional.cross_entropy(logits.T, target)
                    + torch.nn.functional.cross_entropy(logits[:3], target)) / 2
        torch.testing.assert_close(with_extra['loss_itc'], expected, rtol=1e-4, atol=1e-5)
        assert with_extra['loss_itc'] > without['loss_itc']
    if 'loss_lm' in with_extra:
        torch.testing.assert_close(with_extra['loss_lm'], without['loss_lm'])


@each_host
@torch.no_grad()
def test_score_choices_row_by_row(name):
    host = build(name)
    choices = [['red', 'the blue square'], ['two', 'a star'], ['left', 'right']]
    pixels = host.preprocess_frames(frames(3))
    scores = host.score_choices(choices, pixels)
    assert scores.shape == (3, 2)
    single = host.score_choices([choices[1][::-1]], pixels[1:2])
    torch.testing.assert_close(single[0].flip(0), scores[1], rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match='same number of choices'):
        host.score_choices([['red'], ['two', 'three'], ['x']], pixels)


@each_host
def test_any_text_is_encoded(name):
    host = build(name)
    with torch.no_grad():
        text = host.encode_text(['', '😀 ' * 3, 'word ' * 10_000, 'Ein roter Kreis'])
    assert torch.isfinite(text.text_pooled).all()
    assert text.text.shape[1] <= host.max_text_length
    with pytest.raises(TypeError, match='list of strings'):
        host.encode_text('one string')


@each_host
@torch.no_grad()
def test_a_config_without_sizes_takes_those_of_a_saved_folder(name, tmp_path):
    """As the configs of configs/finsta, which say what they start from and little else."""
    host = build(name)
    folder = host.save(tmp_path / 'host')
    model = FinstaModel(dict(type=HOSTS[name]['type'], pretrained=str(folder), tokenizer='nobody',
                             max_text_length=7))
    again = model.backbone
    assert again.max_text_length == 7
    state = host.state_dict()
    assert state.keys() == again.state_dict().keys()
    assert all(torch.equal(v, state[k]) for k, v in again.state_dict().items())
