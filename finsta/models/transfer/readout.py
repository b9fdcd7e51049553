"""Reading the graph off the host's own features (ours).

A cosine to the teacher's state is soon small, because most of that state is shared by all nodes;
what tells a node apart is a small rest. Here the host's feature of a node - mean of its span's
tokens, mean of the patches under its box - has to say what the graph says of the node: its label,
its attributes, its predicates, and its role in each. Facts that the node does not have, but others
in the batch do, are the wrong answers. (Predicting graph parts from an encoder's own tokens:
Herzig et al. 2023, arXiv 2305.06343.)
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finsta.models.transfer.inputs import TransferInputs, TransferLoss
from finsta.registry import LOSSES
from finsta.structures import ATTENTION_EDGE_TYPES, NODE_KINDS, GraphBatch
from finsta.utils.distributed import gather_with_grad, mean_over_processes, world_size

_KEEP = [not name.startswith(('cross_coreference', 'self')) for name in ATTENTION_EDGE_TYPES]
_SELF = ATTENTION_EDGE_TYPES.index('self')
_ADVERB = ATTENTION_EDGE_TYPES.index('predicate_attribute_reverse')


def node_facts(graphs: GraphBatch) -> tuple[Tensor, Tensor, Tensor]:
    """What the graph says of its objects.

    Returns:
        (n,) nodes, (n,) edge types and (n,) label ids, each fact once: an object's own label
        (type 'self'), the labels of its neighbours with the type of the edge from them, and the
        attributes of its predicates (type 'predicate_attribute_reverse').
    """
    source, target = graphs.edge_index
    kind = graphs.edge_type
    keep = torch.tensor(_KEEP, device=kind.device)[kind] & (
        graphs.kind[target] == NODE_KINDS.index('object'))
    thing = torch.nonzero(graphs.kind == NODE_KINDS.index('object')).squeeze(1)
    # an attribute of a predicate belongs to everything that takes part in it
    adverb = torch.nonzero(kind == _ADVERB).squeeze(1)
    part = torch.nonzero(keep).squeeze(1)
    which, whose = torch.nonzero(target[adverb][:, None] == source[part][None], as_tuple=True)
    node = torch.cat([thing, target[keep], target[part[whose]]])
    types = torch.cat([torch.full_like(thing, _SELF), kind[keep], kind[adverb[which]]])
    label = graphs.label_ids[torch.cat([thing, source[keep], source[adverb[which]]])]
    # one number a fact: many times as fast as unique over columns, and in the same order
    n_types, n_labels = len(ATTENTION_EDGE_TYPES), max(1, len(graphs.labels))
    found = ((node * n_types + types) * n_labels + label).unique()
    return found // (n_types * n_labels), found // n_labels % n_types, found % n_labels


@LOSSES.register_module()
class GraphReadout(TransferLoss):
    """Contrast of each node's true facts with the facts of others.

    With x a node's feature and a fact f = (type, label) embedded from the frozen label embedding
    and the type, the loss of a node is the mean over its facts of
    ``-log(exp(x.f) / (exp(x.f) + sum over facts g that are not true of it exp(x.g)))``.

    Args:
        pooled_dims: unused; every transfer loss gets the same context.
        node_dims: widths of the host's text and video features.
        label_dim: width of the label embeddings.
        dim: width of the shared space. streams: which of 'text', 'video'. weight: factor.
    """

    needs_teacher = False

    def __init__(self, pooled_dims: dict[str, int], node_dims: dict[str, int], teacher_dim: int,
                 label_dim: int, dim: int = 128, streams: tuple[str, ...] = ('text', 'video'),
                 weight: float = 1.0) -> None:
        super().__init__()
        self.streams = tuple(s for s in streams if s in node_dims)
        self.student = nn.ModuleDict({s: nn.Linear(node_dims[s], dim) for s in self.streams})
        self.role = nn.ModuleDict({s: nn.Embedding(len(ATTENTION_EDGE_TYPES), dim)
                                   for s in self.streams})
        self.label = nn.ModuleDict({s: nn.Linear(label_dim, dim) for s in self.streams})
        self.fact = nn.ModuleDict({s: nn.Linear(dim, dim) for s in self.streams})
        self.weight = weight

    def forward(self, inputs: TransferInputs) -> dict[str, Tensor]:
        """``loss_readout_<stream>``; exactly 0 without any fact."""
        found = {}
        for stream in self.streams:
            graphs, features, mask, labels = (
                (inputs.graphs.tsg, inputs.student_tsg, inputs.student_tsg_mask, inputs.tsg_labels)
                if stream == 'text' else
                (inputs.graphs.dsg, inputs.student_dsg, inputs.student_dsg_mask,
                 inputs.dsg_labels))
            if features is None or labels is None:
                continue
            found[f'loss_readout_{stream}'] = self.weight * self._read(
                stream, graphs, features, mask, labels)
        return found

    def _read(self, stream: str, graphs: GraphBatch, features: Tensor, mask: Tensor,
              labels: Tensor) -> Tensor:
        node, types, label = node_facts(graphs)
        seen = mask[node]
        node, types, label = node[seen], types[seen], label[seen]
        rows, row = node.unique(return_inverse=True)
        n_labels = max(1, len(labels))
        facts, column = (types * n_labels + label).unique(return_inverse=True)
        facts = torch.stack([facts // n_labels, facts % n_labels])
        facts, embedded, place = _facts_of_all(facts, labels[facts[1]], graphs.labels)
        column = place[column]
        x = self.student[stream](features[rows]).float()
        f = self.fact[stream](F.gelu(self.role[stream](facts)
                                     + self.label[stream](embedded))).float()
        score = x @ f.T
        true = torch.zeros_like(score, dtype=torch.bool)
        true[row, column] = True
        # not -inf: a node for which every fact is true would get a NaN gradient
        wrong = score.masked_fill(true, torch.finfo(score.dtype).min / 2).logsumexp(1)
        each = F.softplus(wrong[row] - score[row, column])
        per_node = torch.zeros_like(wrong).index_add(0, row, each)
        return mean_over_processes((per_node / true.sum(1)).sum() + (x.sum() + f.sum()) * 0,
                                   len(rows))


def _facts_of_all(facts: Tensor, embedded: Tensor, labels: list[str]
                  ) -> tuple[Tensor, Tensor, Tensor]:
    """The facts of all processes, each once.

    Args:
        facts: (2, n) edge type and label id of this process's facts. embedded: (n, D_l) of their
            labels. labels: the strings of the ids.

    Returns:
        (m,) edge types, (m, D_l) embeddings, and (n,) the place of each own fact among them.
    """
    if world_size() == 1:
        return facts[0], embedded, torch.arange(facts.shape[1], device=facts.device)
    own = [(kind, labels[i]) for kind, i in facts.T.tolist()]
    keys: list[list[tuple[int, str]]] = [[] for _ in range(world_size())]
    torch.distributed.all_gather_object(keys, own)
    flat = [key for part in keys for key in part]
    first: dict[tuple[int, str], int] = {}
    for i, key in enumerate(flat):
        first.setdefault(key, i)
    everyone, _ = gather_with_grad(embedded.detach(), False)
    place = {key: i for i, key in enumerate(first)}
    return (torch.tensor([kind for kind, _ in first], device=facts.device, dtype=torch.long),
            everyone[list(first.values())],
            torch.tensor([place[key] for key in own], device=facts.device, dtype=torch.long))
