"""STGT's losses: VTC, CSAL, VTM, VTG (stgt.md, losses). All weights are 1.

    s_v2t[i, j] = scale max_k <z_i^k, t_j>,   s_t2v[j, i] the same number
    VTC:  CE of both directions against one-hot targets, label smoothing 0.1
    CSAL: CE of both against Y = softmax_row(5 S), S = relu(v v^T) * relu(t t^T), S < 0.05 -> -100,
          v_i = unit(mean_k z_i^k); smoothing 0.01
    VTM:  one pair and two mined negatives, two classes
    VTG:  next words given the queries, smoothing 0.1

Over several processes each scores its own rows; the mean over processes, as DDP takes it, is the
loss of the big batch in value and, with ``gather_grad``, in gradient (VTM only where mining is
not random). Text rows beyond the videos are extra negatives: ours. Ours, too: rows of one video
(several captions of it in a batch) or of one text share VTC's target equally and are no negatives
in VTM; CSAL's targets, which come from how alike rows are, stay as they are.

Shapes: B pairs, X extra texts, Q queries, E joint width, L tokens, V words.
"""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from finsta.models.backbones.blocks import unit
from finsta.models.backbones.losses import cross_entropy, groups_of_all, pair_targets
from finsta.models.backbones.queries import query_similarity
from finsta.registry import LOSSES
from finsta.structures import alike
from finsta.utils.distributed import gather_with_grad, rank, world_size


def gather(x: Tensor, with_grad: bool) -> tuple[Tensor, list[int]]:
    """Rows of all processes; without gradient at all (own rows included) for False."""
    if with_grad:
        return gather_with_grad(x)
    return gather_with_grad(x.detach(), False)


class _Contrast(nn.Module):
    """What VTC and CSAL share: gathering, both directions, the share of this process."""

    name = ''

    def __init__(self, label_smoothing: float, gather_grad: bool, weight: float) -> None:
        super().__init__()
        self.label_smoothing, self.gather_grad, self.weight = label_smoothing, gather_grad, weight

    def targets(self, own: tuple[Tensor, ...], everyone: tuple[Tensor, ...], start: int
                ) -> Tensor:
        """Class indices (b,), or probabilities (b, B), of own rows among the pairs of all
        processes. ``own`` and ``everyone`` are texts, videos and the numbers of the videos;
        ``start`` is the place of the first own row."""
        raise NotImplementedError

    def forward(self, text: Tensor, video: Tensor, scale: Tensor, groups: Tensor | None = None
                ) -> dict[str, Tensor]:
        """text (B + X, E) and video (B, Q, E) unit vectors; row i of text describes video i;
        groups (B, 2) of ``pair_groups``, None = all differ."""
        b = len(video)
        if len(text) < b:
            raise ValueError(f'{b} videos need at least {b} texts in the same order, got '
                             f'{len(text)}')
        text, video = text.float(), video.float()
        pairs, sizes = gather(text[:b], self.gather_grad)
        videos, _ = gather(video, self.gather_grad)
        extra, _ = gather(text[b:], self.gather_grad)
        start, total = sum(sizes[:rank()]), sum(sizes)
        own, everyone = groups_of_all(groups, sizes, video.device)
        target = self.targets((text[:b], video, own), (pairs, videos, everyone), start)
        v2t = scale * query_similarity(video, torch.cat([pairs, extra]))
        t2v = scale * query_similarity(videos, text[:b]).T
        loss = sum(cross_entropy(logits, target, self.label_smoothing) for logits in (v2t, t2v))
        return {f'loss_{self.name}': self.weight * loss * (0.5 * world_size() / total)}


@LOSSES.register_module()
class VTC(_Contrast):
    """Video-text contrast.

    Args:
        label_smoothing: share of the target spread over all candidates.
        gather_grad: features that serve as candidates carry gradient (the big batch's); False =
            none does, as in the original.
        weight: factor.
    """

    name = 'vtc'

    def __init__(self, label_smoothing: float = 0.1, gather_grad: bool = True,
                 weight: float = 1.0) -> None:
        super().__init__(label_smoothing, gather_grad, weight)

    def targets(self, own: tuple[Tensor, ...], everyone: tuple[Tensor, ...], start: int
                ) -> Tensor:
        return pair_targets(own[2], everyone[2], start)


@LOSSES.register_module()
class CSAL(_Contrast):
    """Cross-modal self-similarity alignment: soft targets from what videos and texts have in
    common among themselves.

    Args:
        sharpness: factor inside the softmax of the targets.
        floor: similarities below count as none.
        detach_targets: no gradient through the targets (the original lets it through).
        label_smoothing, gather_grad, weight: as in :class:`VTC`.
    """

    name = 'csal'

    def __init__(self, sharpness: float = 5.0, floor: float = 0.05, detach_targets: bool = True,
                 label_smoothing: float = 0.01, gather_grad: bool = True, weight: float = 1.0
                 ) -> None:
        super().__init__(label_smoothing, gather_grad, weight)
        self.sharpness, self.floor, self.detach_targets = sharpness, floor, detach_targets

    def targets(self, own: tuple[Tensor, ...], everyone: tuple[Tensor, ...], start: int
                ) -> Tensor:
        with torch.autocast(own[0].device.type, enabled=False):
            texts = own[0] @ everyone[0].T
            videos = unit(own[1].mean(1)) @ unit(everyone[1].mean(1)).T
        common = videos.relu() * texts.relu()
        common = common.masked_fill(common < self.floor, -100.0)
        target = (self.sharpness * common).softmax(-1)
        return target.detach() if self.detach_targets else target


@LOSSES.register_module()
class VTM(nn.Module):
    """Video-text matching with mined negatives: each text gets a wrong video and each video a
    wrong text, likely ones preferred, from all processes.

    Args:
        mining: 'multinomial' = drawn with probability softmax(similarity) (original),
            'hardest' = the most similar.
        gather_grad: video tokens of other processes carry gradient.
        weight: factor.
    """

    name = 'vtm'

    def __init__(self, mining: str = 'multinomial', gather_grad: bool = True, weight: float = 1.0
                 ) -> None:
        super().__init__()
        if mining not in ('multinomial', 'hardest'):
            raise ValueError(f"mining must be 'multinomial' or 'hardest', got {mining!r}")
        self.mining, self.gather_grad, self.weight = mining, gather_grad, weight

    def forward(self, match: Callable[..., Tensor], t2v: Tensor, v2t: Tensor, ids: Tensor,
                mask: Tensor, video: Tensor, video_mask: Tensor, groups: Tensor | None = None
                ) -> dict[str, Tensor]:
        """Args:
            match: (ids (n, L), mask (n, L), video (n, S, C), video_mask (n, S)) -> logits (n, 2)
                of (no match, match).
            t2v: (b, B) scaled similarity of own texts to the videos of all processes.
            v2t: (b, B + X) of own videos to all texts: pairs of all processes, then extra ones.
            ids, mask: (b + x, L) own texts, extra ones last. video, video_mask: (b, S, C), (b, S).
            groups: (b, 2) of ``pair_groups``: rows that share a video or a text are no negatives
                of each other.
        """
        b = len(video)
        all_ids, all_mask, sizes = gather_texts(ids, mask, b)
        videos, _ = gather(video, True) if self.gather_grad else gather_with_grad(video, False)
        video_masks, _ = gather(video_mask, False)
        start, total = sum(sizes[:rank()]), sum(sizes)
        own = torch.arange(start, start + b, device=video.device)
        mine, everyone = groups_of_all(groups, sizes, video.device)
        same = alike(mine, everyone)
        able = own[(~same).any(1)]   # rows that have a negative among all pairs
        rows = [(own, own, 1)]
        if len(able):
            rows.append((able, self._mine(t2v[able - start], same[able - start]), 0))
        contested = own if v2t.shape[1] > total else able
        if len(contested):
            places = contested - start
            rows.append((self._mine(v2t[places], same[places]), contested, 0))
        texts, places = (torch.cat([r[i] for r in rows]) for i in (0, 1))
        labels = torch.cat([torch.full_like(r[0], r[2]) for r in rows])
        logits = match(all_ids[texts], all_mask[texts], videos[places], video_masks[places])
        loss = F.cross_entropy(logits.float(), labels, reduction='sum')
        everyone_able = int((~alike(everyone, everyone)).any(1).sum())
        count = total + everyone_able + (total if v2t.shape[1] > total else everyone_able)
        return {f'loss_{self.name}': self.weight * loss * world_size() / count}

    @torch.no_grad()
    def _mine(self, similarity: Tensor, same: Tensor) -> Tensor:
        wrong = similarity.detach().float().clone()
        wrong[:, :same.shape[1]].masked_fill_(same, -torch.inf)
        if self.mining == 'hardest':
            return wrong.argmax(1)
        return torch.multinomial(wrong.softmax(1), 1)[:, 0]


def gather_texts(ids: Tensor, mask: Tensor, pairs: int) -> tuple[Tensor, Tensor, list[int]]:
    """Token ids and masks of all processes, padded to one length: all pairs, then all extra
    texts; and the number of pairs of each process."""
    length = ids.shape[1]
    if world_size() > 1:
        longest = torch.tensor(length, device=ids.device)
        dist.all_reduce(longest, dist.ReduceOp.MAX)
        pad = (0, int(longest) - length)
        ids, mask = F.pad(ids, pad), F.pad(mask, pad)
    mask = mask.to(torch.uint8)
    parts = [[gather(x, False) for x in (y[:pairs], y[pairs:])] for y in (ids, mask)]
    all_ids, all_mask = (torch.cat([pair[0], extra[0]]) for pair, extra in parts)
    return all_ids, all_mask.bool(), parts[0][0][1]


@LOSSES.register_module()
class VTG(nn.Module):
    """Video-grounded text generation.

    Args:
        label_smoothing: share of the target spread over all words. weight: factor.
    """

    name = 'vtg'

    def __init__(self, label_smoothing: float = 0.1, weight: float = 1.0) -> None:
        super().__init__()
        self.label_smoothing, self.weight = label_smoothing, weight

    def forward(self, logits: Tensor, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Mean over all predicted tokens of all processes.

        Args:
            logits: (B, L, V), position l predicts token l + 1. ids, mask: (B, L).
        """
        wanted = mask[:, 1:].bool()
        loss = F.cross_entropy(logits[:, :-1][wanted].float(), ids[:, 1:][wanted],
                               reduction='sum', label_smoothing=self.label_smoothing)
        count = wanted.sum()
        if world_size() > 1:
            dist.all_reduce(count)
        return {f'loss_{self.name}': self.weight * loss * (world_size() / count.clamp(min=1))}
