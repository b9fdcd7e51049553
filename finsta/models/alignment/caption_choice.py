"""Which of these captions is true of this video, and which of these videos fits this caption?
(ours)

    L = mean_i  -log softmax_k(s(c_ik, v_i))[0]

c_i0 is the caption, c_i1 .. c_iK its false versions made through the text graph
(``GraphHardNegatives``). The contrast is inside one video, so nothing that all versions share -
which things are there - helps: only what the edit broke does. It is applied to every score that
the host has: cosine times temperature, and the log-odds of its matching head.

``VideoChoice`` is the other direction with the clip and the same clip backwards, which holds the
same frames: a caption tells them apart by what happens, if at all. (Backward clips as negatives:
Bagad et al. 2023, Wang et al. 2023; a caption that is true both ways only adds a constant.)
"""

import torch
from torch import Tensor, nn

from finsta.models.alignment.weights import loss_weights
from finsta.registry import LOSSES
from finsta.structures import alike
from finsta.utils.distributed import mean_over_processes


@LOSSES.register_module()
class CaptionChoice(nn.Module):
    """Cross entropy over a caption and its false versions.

    Args:
        weights: factor by kind of score, 'itc' and 'itm'; a kind that is absent counts once.
    """

    name = 'choice'

    def __init__(self, weights: dict[str, float] | None = None) -> None:
        super().__init__()
        self.weights = loss_weights(type(self).__name__, weights, {'itc': 1.0, 'itm': 1.0})

    def forward(self, scores: dict[str, Tensor], owner: Tensor, num_samples: int
                ) -> dict[str, Tensor]:
        """One loss per kind of score.

        Args:
            scores: kind -> (B + X,) logits: the B true captions, then the X false ones.
            owner: (B + X,) sample of each. num_samples: B.

        Returns:
            ``loss_choice_<kind>``, and ``choice_<kind>_acc``: share of the samples with false
            versions whose own caption scores highest (NaN-free: 0 without any). Samples without
            false versions are left out; exactly 0, and attached, when none has any.
        """
        contested = torch.bincount(owner, minlength=num_samples) > 1
        found = {}
        for kind, score in scores.items():
            if self.weights[kind] <= 0:
                continue
            score = score.float()
            top = score.detach().new_full((num_samples,), -torch.inf).scatter_reduce(
                0, owner, score.detach(), 'amax')
            total = torch.zeros_like(top).index_add(0, owner, (score - top[owner]).exp())
            loss = (total.log() + top - score[:num_samples]) * contested
            count = contested.sum()
            found[f'loss_{self.name}_{kind}'] = self.weights[kind] * mean_over_processes(
                loss.sum(), count)
            best = (score[:num_samples] >= top) & contested
            found[f'{self.name}_{kind}_acc'] = best.sum() / count.clamp(min=1)
        return found


@LOSSES.register_module()
class VideoChoice(CaptionChoice):
    """Cross entropy over a clip and its backward copy, for samples whose text graph could be
    broken (a text without a relation says nothing about time).

    Args:
        weights: as in :class:`CaptionChoice`. Losses are called ``loss_reversal_<kind>``.
    """

    name = 'reversal'


@LOSSES.register_module()
class NeighbourChoice(CaptionChoice):
    """Which caption of my neighbours is mine, and which of their videos is my caption's?

    Rows k g .. k g + g - 1 of a batch are neighbours: clips whose text graphs resemble each other
    (``GraphNeighbourSampler`` with the same ``group_size``). What they share cancels out of the
    contrast; in the host's own loss, among a whole batch, it is most of the gradient. Rows with
    equal texts, and of one video, do not compete.

    Args:
        group_size: g. weights: as in :class:`CaptionChoice`; losses are called
            ``loss_neighbours_<kind>``, the mean of both directions.

    Raises:
        ValueError: at a batch that is no multiple of ``group_size``.
    """

    name = 'neighbours'

    def __init__(self, group_size: int = 2, weights: dict[str, float] | None = None) -> None:
        super().__init__(weights)
        if group_size < 2:
            raise ValueError(f'NeighbourChoice.group_size={group_size}: a choice needs two')
        self.group_size = group_size

    def pairs(self, texts: list[str], device: torch.device | str = 'cpu',
              groups: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Caption and video (n,) of every pair that is scored: the B true ones in order, then
        each caption with the other videos of its group.

        Args:
            groups: (B, 2) of ``pair_groups``: samples of one video do not compete, either.
        """
        rows, size = len(texts), self.group_size
        if rows % size:
            raise ValueError(f'a batch of {rows} is no multiple of NeighbourChoice.group_size='
                             f'{size}; set train_dataloader.batch_size and drop_last=True')
        same = [[False] * rows] * rows if groups is None else alike(groups, groups).tolist()
        said = [' '.join(text.lower().split()) for text in texts]
        others = [(i, j) for i in range(rows) for j in range(i - i % size, i - i % size + size)
                  if said[i] != said[j] and not same[i][j]]
        pairs = torch.tensor([(i, i) for i in range(rows)] + others, device=device)
        return pairs[:, 0], pairs[:, 1]

    def forward(self, scores: dict[str, Tensor], caption: Tensor, video: Tensor, num_samples: int
                ) -> dict[str, Tensor]:
        """Losses and accuracies per kind of score.

        Args:
            scores: kind -> (n,) logits of the ``pairs``. caption, video: (n,). num_samples: B.
        """
        by_video = super().forward(scores, video, num_samples)
        by_caption = super().forward(scores, caption, num_samples)
        return {key: (value + by_caption[key]) / 2 for key, value in by_video.items()}


def backwards(frames: Tensor, mask: Tensor | None) -> Tensor:
    """The real frames (B, F, ...) in reverse order; padding (mask (B, F) False) stays last."""
    if mask is None:
        return frames.flip(1)
    place = torch.arange(frames.shape[1], device=frames.device).expand(mask.shape)
    count = mask.sum(1, keepdim=True)
    order = torch.where(place < count, count - 1 - place, place)
    return frames.gather(1, order.view(*order.shape, *[1] * (frames.dim() - 2)).expand_as(frames))


def owners(negatives: list[list[str]], device: torch.device | str = 'cpu') -> Tensor:
    """(B + X,) sample of each text: B captions in order, then the rows of ``negatives``."""
    own = torch.arange(len(negatives), device=device)
    counts = torch.tensor([len(row) for row in negatives], device=device)
    return torch.cat([own, own.repeat_interleave(counts)])
