"""Many scene graphs as flat tensors.

Order of nodes: by (frame, sample, node), so the nodes of key frame t of all samples are the
contiguous range ``frame_ptr[t]:frame_ptr[t + 1]`` (what a recurrence over frames needs), and the
nodes of one small graph, a *unit* = (frame, sample), are contiguous too (what attention needs).
Edges stay inside a unit; temporal coreference is the index ``predecessor``. Both directions of
every edge and self loops are present. Padded views are derived. The layout is ours.

Shapes: N nodes, E edges, U units, B samples, T key frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from finsta.structures.holistic import HolisticSceneGraph
from finsta.structures.scene_graph import EDGE_TYPES, DynamicSceneGraph, SceneGraph

# attention edge types: self loop, then each forward type and its reverse, then cross-modal
ATTENTION_EDGE_TYPES = ('self', *(name for t in EDGE_TYPES for name in (t, f'{t}_reverse')),
                        'cross_coreference', 'cross_coreference_reverse')
NUM_EDGE_TYPES = len(ATTENTION_EDGE_TYPES)
_CROSS = ATTENTION_EDGE_TYPES.index('cross_coreference')
TEXT, VISUAL = 0, 1


@dataclass
class GraphBatch:
    """Packed graphs.

    Attributes:
        labels: unique label strings of the batch.
        label_ids: (N,) index into ``labels``.
        kind: (N,) index into ``NODE_KINDS``.
        modality: (N,) 0 text, 1 visual.
        box: (N, 4) (cx, cy, w, h) as fractions of the source frame; 0 where none.
        box_mask: (N,) True where a box exists.
        score: (N,) parser confidence.
        span: (N, 2) character offsets in the sample's text, -1 where none.
        entity: (N,) identity inside the sample, -1 where unknown.
        sample_ids: (N,) sample b; frame_ids: (N,) key frame t; unit_ids: (N,) unit.
        source: (N,) index of the same node in the batch it was copied from (an HSG batch: into
            the TSG batch for text nodes, the DSG batch for visual ones); else its own index.
        predecessor: (N,) index of the same thing in the frame before, -1 where none.
        edge_index: (2, E) rows source j, target i: messages flow j -> i.
        edge_type: (E,) index into ``ATTENTION_EDGE_TYPES``.
        unit_ptr: (U + 1,) node ranges of units; unit_sample, unit_frame: (U,).
        frame_ptr: T + 1 Python ints, node ranges of key frames.
        num_samples: B.
    """

    labels: list[str]
    label_ids: Tensor
    kind: Tensor
    modality: Tensor
    box: Tensor
    box_mask: Tensor
    score: Tensor
    span: Tensor
    entity: Tensor
    sample_ids: Tensor
    frame_ids: Tensor
    unit_ids: Tensor
    source: Tensor
    predecessor: Tensor
    edge_index: Tensor
    edge_type: Tensor
    unit_ptr: Tensor
    unit_sample: Tensor
    unit_frame: Tensor
    frame_ptr: tuple[int, ...]
    num_samples: int

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.label_ids.numel()

    @property
    def num_units(self) -> int:
        """U."""
        return self.unit_ptr.numel() - 1

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.frame_ptr) - 1

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.label_ids.device

    def to(self, device: torch.device | str, non_blocking: bool = False) -> 'GraphBatch':
        """A copy with every tensor on ``device``."""
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=non_blocking)
                 for f in fields(self) if isinstance(getattr(self, f.name), Tensor)}
        return replace(self, **moved)

    def pin_memory(self) -> 'GraphBatch':
        """A copy in page-locked memory, for DataLoader(pin_memory=True)."""
        pinned = {f.name: getattr(self, f.name).pin_memory()
                  for f in fields(self) if isinstance(getattr(self, f.name), Tensor)}
        return replace(self, **pinned)

    def unit_sizes(self) -> Tensor:
        """(U,) nodes of each unit."""
        return self.unit_ptr[1:] - self.unit_ptr[:-1]

    def position_in_unit(self) -> Tensor:
        """(N,) offset of each node in its unit."""
        index = torch.arange(self.num_nodes, device=self.device)
        return index - self.unit_ptr[self.unit_ids]

    def to_padded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Packed (N, ...) -> padded (U, M, ...) and mask (U, M), True = a node; M = max size."""
        sizes = self.unit_sizes()
        width = int(sizes.max()) if sizes.numel() else 0
        mask = torch.arange(width, device=x.device)[None] < sizes[:, None]
        out = x.new_zeros(self.num_units, width, *x.shape[1:])
        out[mask] = x
        return out, mask

    @classmethod
    def from_text(cls, graphs: Sequence[SceneGraph]) -> 'GraphBatch':
        """Batch of text graphs: one key frame, one unit per sample."""
        return _pack([[g] for g in graphs], [[None] for _ in graphs], TEXT)

    @classmethod
    def from_video(cls, graphs: Sequence[DynamicSceneGraph]) -> 'GraphBatch':
        """Batch of dynamic graphs; T is the largest number of key frames."""
        return _pack([list(g.frames) for g in graphs],
                     [[np.asarray(p, np.int64) for p in g.predecessors] for g in graphs], VISUAL)


@dataclass
class HolisticBatch:
    """The three batches of one training step.

    Attributes:
        tsg, dsg: text and dynamic graphs.
        hsg: per key frame, the text graph's nodes followed by the frame's nodes.
        cross_pairs: (P, 2) coreferent (TSG-batch node, DSG-batch node).
        cross_score: (P,) score of each pair.
    """

    tsg: GraphBatch
    dsg: GraphBatch
    hsg: GraphBatch
    cross_pairs: Tensor
    cross_score: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> 'HolisticBatch':
        """A copy with every tensor on ``device``."""
        return HolisticBatch(*(getattr(self, f.name).to(device, non_blocking=non_blocking)
                               for f in fields(self)))

    def pin_memory(self) -> 'HolisticBatch':
        """A copy in page-locked memory."""
        return HolisticBatch(*(getattr(self, f.name).pin_memory() for f in fields(self)))

    @classmethod
    def from_graphs(cls, graphs: Sequence[HolisticSceneGraph]) -> 'HolisticBatch':
        """Collate holistic graphs of a batch's samples, in order."""
        tsg = GraphBatch.from_text([g.tsg for g in graphs])
        dsg = GraphBatch.from_video([g.dsg for g in graphs])
        base = {(int(b), int(t)): int(p) for b, t, p in
                zip(dsg.unit_sample, dsg.unit_frame, dsg.unit_ptr[:-1], strict=True)}
        pairs = [(int(tsg.unit_ptr[b]) + e.text, base[b, e.frame] + e.visual)
                 for b, g in enumerate(graphs) for e in g.cross]
        scores = [e.score for g in graphs for e in g.cross]
        cross_pairs = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
        hsg = _join(tsg, dsg, cross_pairs)
        return cls(tsg, dsg, hsg, cross_pairs, torch.tensor(scores, dtype=torch.float32))


def _pack(graphs: list[list[SceneGraph]], links: list[list[np.ndarray | None]],
          modality: int) -> GraphBatch:
    """Concatenate graphs[b][t] in (t, b) order."""
    num_frames = max((len(g) for g in graphs), default=0)
    start: dict[tuple[int, int], int] = {}
    columns: dict[str, list[np.ndarray]] = {k: [] for k in (
        'kind', 'box', 'box_mask', 'span', 'entity', 'score', 'edge', 'predecessor')}
    units, frame_ptr, strings, total = [], [0], [], 0
    for t in range(num_frames):
        for b, sample in enumerate(graphs):
            if t >= len(sample):
                continue
            arrays, n = sample[t].arrays, len(sample[t].nodes)
            start[b, t] = total
            for key in ('kind', 'box', 'box_mask', 'span', 'entity', 'score'):
                columns[key].append(arrays[key])
            columns['edge'].append(arrays['edge'] + np.array([total, total, 0]))
            link = links[b][t]
            if link is None or t == 0:
                columns['predecessor'].append(np.full(n, -1, np.int64))
            else:
                columns['predecessor'].append(np.where(link >= 0, link + start[b, t - 1], -1))
            strings += [node.label for node in sample[t].nodes]
            units.append((b, t, n))
            total += n
        frame_ptr.append(total)
    labels = sorted(set(strings))
    lookup = {s: i for i, s in enumerate(labels)}
    unit = np.array(units, np.int64).reshape(-1, 3)
    edge = _cat(columns['edge'], np.zeros((0, 3), np.int64))
    edge_index, edge_type = _attention_edges(torch.from_numpy(edge), total)
    as_tensor = {k: torch.from_numpy(_cat(v, _EMPTY[k])) for k, v in columns.items()
                 if k != 'edge'}
    sizes = torch.from_numpy(unit[:, 2])
    unit_ids = torch.repeat_interleave(torch.arange(len(units)), sizes)
    unit_sample, unit_frame = torch.from_numpy(unit[:, 0].copy()), torch.from_numpy(
        unit[:, 1].copy())
    return GraphBatch(
        labels=labels, label_ids=torch.tensor([lookup[s] for s in strings], dtype=torch.long),
        modality=torch.full((total,), modality, dtype=torch.long),
        sample_ids=unit_sample[unit_ids], frame_ids=unit_frame[unit_ids], unit_ids=unit_ids,
        source=torch.arange(total), edge_index=edge_index, edge_type=edge_type,
        unit_ptr=torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]), unit_sample=unit_sample,
        unit_frame=unit_frame, frame_ptr=tuple(frame_ptr), num_samples=len(graphs), **as_tensor)


_EMPTY = {'kind': np.zeros(0, np.int64), 'box': np.zeros((0, 4), np.float32),
          'box_mask': np.zeros(0, bool), 'span': np.zeros((0, 2), np.int64),
          'entity': np.zeros(0, np.int64), 'score': np.zeros(0, np.float32),
          'predecessor': np.zeros(0, np.int64)}


def _cat(parts: list[np.ndarray], empty: np.ndarray) -> np.ndarray:
    return np.concatenate(parts) if parts else empty


def _attention_edges(edge: Tensor, num_nodes: int) -> tuple[Tensor, Tensor]:
    """Forward (src, dst, type) rows -> both directions and self loops."""
    loop = torch.arange(num_nodes)
    index = torch.cat([torch.stack([loop, loop]), edge[:, :2].T, edge[:, [1, 0]].T], dim=1)
    kind = torch.cat([torch.zeros(num_nodes, dtype=torch.long), 1 + 2 * edge[:, 2],
                      2 + 2 * edge[:, 2]])
    return index.contiguous(), kind


def _join(tsg: GraphBatch, dsg: GraphBatch, pairs: Tensor) -> GraphBatch:
    """The HSG batch: units of ``dsg``, each preceded by its sample's text nodes."""
    text_size = tsg.unit_sizes()
    text_in_unit = text_size[dsg.unit_sample]
    sizes = text_in_unit + dsg.unit_sizes()
    unit_ptr = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    unit_ids = torch.repeat_interleave(torch.arange(dsg.num_units), sizes)
    offset = torch.arange(int(unit_ptr[-1])) - unit_ptr[unit_ids]
    is_text = offset < text_in_unit[unit_ids]
    sample = dsg.unit_sample[unit_ids]
    source = torch.where(is_text, tsg.unit_ptr[sample] + offset,
                         dsg.unit_ptr[unit_ids] + offset - text_in_unit[unit_ids])
    visual_at = torch.empty(dsg.num_nodes, dtype=torch.long)
    visual_at[source[~is_text]] = torch.nonzero(~is_text).squeeze(1)
    labels = sorted({*tsg.labels, *dsg.labels})
    lookup = {s: i for i, s in enumerate(labels)}
    text_label = torch.tensor([lookup[s] for s in tsg.labels], dtype=torch.long)
    visual_label = torch.tensor([lookup[s] for s in dsg.labels], dtype=torch.long)

    def pick(text: Tensor, visual: Tensor) -> Tensor:
        out = text.new_empty((source.numel(), *text.shape[1:]))
        out[is_text], out[~is_text] = text[source[is_text]], visual[source[~is_text]]
        return out

    predecessor = torch.full_like(source, -1)
    before = dsg.predecessor[source[~is_text]]
    predecessor[~is_text] = torch.where(before >= 0, visual_at[before.clamp(min=0)], -1) \
        if dsg.num_nodes else before
    unit_of = {(int(b), int(t)): u for u, (b, t) in
               enumerate(zip(dsg.unit_sample, dsg.unit_frame, strict=True))}
    earlier = torch.tensor([unit_of.get((int(b), int(t) - 1), -1) for b, t in
                            zip(dsg.unit_sample, dsg.unit_frame, strict=True)], dtype=torch.long)
    if is_text.any():
        unit_before = earlier[unit_ids[is_text]]
        predecessor[is_text] = torch.where(unit_before >= 0,
                                           unit_ptr[unit_before.clamp(min=0)] + offset[is_text],
                                           -1)
    edge_index, edge_type = _join_edges(tsg, dsg, pairs, unit_ptr, visual_at)
    frame_of_unit = dsg.unit_frame
    counts = torch.zeros(dsg.num_frames, dtype=torch.long).index_add_(0, frame_of_unit, sizes)
    frame_ptr = (0, *counts.cumsum(0).tolist())
    return GraphBatch(
        labels=labels, label_ids=pick(text_label[tsg.label_ids], visual_label[dsg.label_ids]),
        kind=pick(tsg.kind, dsg.kind), modality=(~is_text).long(), box=pick(tsg.box, dsg.box),
        box_mask=pick(tsg.box_mask, dsg.box_mask), score=pick(tsg.score, dsg.score),
        span=pick(tsg.span, dsg.span), entity=pick(tsg.entity, dsg.entity), sample_ids=sample,
        frame_ids=frame_of_unit[unit_ids], unit_ids=unit_ids, source=source,
        predecessor=predecessor, edge_index=edge_index, edge_type=edge_type, unit_ptr=unit_ptr,
        unit_sample=dsg.unit_sample, unit_frame=dsg.unit_frame, frame_ptr=frame_ptr,
        num_samples=dsg.num_samples)


def _join_edges(tsg: GraphBatch, dsg: GraphBatch, pairs: Tensor, unit_ptr: Tensor,
                visual_at: Tensor) -> tuple[Tensor, Tensor]:
    """Text edges copied into every unit, visual edges moved, cross edges in both directions."""
    text_unit = tsg.sample_ids[tsg.edge_index[0]]
    order = torch.argsort(text_unit, stable=True)
    text_edges = tsg.edge_index[:, order] - tsg.unit_ptr[text_unit[order]]
    count = torch.bincount(text_unit, minlength=tsg.num_samples)
    first = count.cumsum(0) - count
    per_unit = count[dsg.unit_sample]
    unit = torch.repeat_interleave(torch.arange(dsg.num_units), per_unit)
    within = torch.arange(unit.numel()) - (per_unit.cumsum(0) - per_unit)[unit]
    which = first[dsg.unit_sample[unit]] + within
    copied = text_edges[:, which] + unit_ptr[unit]
    copied_type = tsg.edge_type[order][which]
    moved = visual_at[dsg.edge_index]
    visual_unit = dsg.unit_ids[pairs[:, 1]]
    text_node = unit_ptr[visual_unit] + pairs[:, 0] - tsg.unit_ptr[tsg.sample_ids[pairs[:, 0]]]
    cross = torch.stack([text_node, visual_at[pairs[:, 1]]])
    index = torch.cat([copied, moved, cross, cross.flip(0)], dim=1)
    kind = torch.cat([copied_type, dsg.edge_type,
                      torch.full((len(pairs),), _CROSS, dtype=torch.long),
                      torch.full((len(pairs),), _CROSS + 1, dtype=torch.long)])
    return index.contiguous(), kind
