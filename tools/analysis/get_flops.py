"""Count parameters and FLOPs of a config's model on random input.

examples:
  python tools/analysis/get_flops.py configs/finsta/videoqa_msvd.py
  python tools/analysis/get_flops.py configs/finsta/posttrain_msvd.py --train --batch 4 \\
      --frames 8 --objects 10

Inference is the backbone's encoding of one batch. With --train, a whole training step (forward
and backward) of the post-training model is compared with the same step of the backbone alone; the
graphs are random ones of the given size. Counted are matrix products, convolutions and attention
(torch's FlopCounterMode): one multiply-add is two FLOPs. Sparse sums of the dgl back end are not
counted; force the torch one in the config for a fair comparison.
"""

import argparse
import json
import random

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from finsta.engine.launch import UsageError, errors_in_sentences, find_config
from finsta.registry import MODELS
from finsta.structures import (
    CrossEdge,
    DynamicSceneGraph,
    Edge,
    HolisticBatch,
    HolisticSceneGraph,
    Node,
    SceneGraph,
    VideoTextSample,
)

WORDS = ('a', 'the', 'man', 'dog', 'ball', 'red', 'blue', 'small', 'runs', 'throws', 'holds')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0], epilog=__doc__.split('\n\n', 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--frames', type=int, help="per video (default: the backbone's)")
    parser.add_argument('--size', type=int, help="pixels, square (default: the backbone's)")
    parser.add_argument('--words', type=int, default=12, help='per text')
    parser.add_argument('--objects', type=int, default=5, help='per text and per key frame')
    parser.add_argument('--train', action='store_true', help='a training step, with and without '
                        'the structure')
    parser.add_argument('--json', action='store_true', help='print JSON only')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        metavar='KEY=VALUE')
    parser.add_argument('--debug', action='store_true', help='show tracebacks of all errors')
    return parser.parse_args()


def random_graph(objects: int, text: bool, rng: random.Random) -> SceneGraph:
    """``objects`` objects, an attribute each, and a predicate between neighbours; the entities
    are numbered, so the same ones stand in every frame."""
    nodes, edges = [], []
    for k in range(objects):
        box = None if text else (rng.uniform(.3, .7), rng.uniform(.3, .7), .3, .3)
        nodes.append(Node('object', rng.choice(WORDS), span=(0, 3) if text else None, box=box,
                          entity=k))
        nodes.append(Node('attribute', rng.choice(WORDS), span=(0, 3) if text else None,
                          entity=k))
        edges.append(Edge(2 * k, 2 * k + 1, 'attribute'))
    for k in range(objects - 1):
        nodes.append(Node('predicate', rng.choice(WORDS), span=(0, 3) if text else None,
                          entity=k))
        edges += [Edge(2 * k, len(nodes) - 1, 'subject'),
                  Edge(len(nodes) - 1, 2 * k + 2, 'object')]
    return SceneGraph(tuple(nodes), tuple(edges))


def random_batch(model: nn.Module, args: argparse.Namespace) -> dict:
    """A collated training batch."""
    rng = random.Random(0)
    frames = args.frames or model.backbone.num_frames
    height, width = (args.size, args.size) if args.size else model.backbone.frame_size
    graphs = []
    for _ in range(args.batch):
        tsg = random_graph(args.objects, True, rng)
        dsg = DynamicSceneGraph(tuple(random_graph(args.objects, False, rng)
                                      for _ in range(frames)), tuple(range(frames)))
        cross = [CrossEdge(i, t, i) for t in range(frames) for i in range(len(tsg.nodes))]
        graphs.append(HolisticSceneGraph(tsg, dsg, tuple(cross)))
    texts = [' '.join(rng.choices(WORDS, k=args.words)) for _ in range(args.batch)]
    return dict(
        inputs=dict(frames=torch.randint(0, 256, (args.batch, frames, 3, height, width),
                                         dtype=torch.uint8),
                    frame_mask=torch.ones(args.batch, frames, dtype=torch.bool),
                    crop=torch.tensor([[0., 0., 1., 1.]] * args.batch), texts=texts,
                    graphs=HolisticBatch.from_graphs(graphs),
                    graph_frames=torch.arange(frames).repeat(args.batch, 1), negative_texts=None),
        data_samples=[VideoTextSample(video_id=str(k), video_path='', text=text,
                                      sample_id=str(k)) for k, text in enumerate(texts)])


def count(function) -> int:
    """FLOPs of one call."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def parameters(module: nn.Module | None, trainable: bool = False) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable) \
        if module is not None else 0


def training_step(model: nn.Module, batch: dict) -> int:
    """FLOPs of forward and backward."""
    def step() -> None:
        losses = model(**batch, mode='loss')
        sum(v.mean() for k, v in losses.items() if 'loss' in k).backward()
    model.train()
    model.zero_grad()
    return count(step)


def measure(config: Config, args: argparse.Namespace) -> dict[str, float]:
    """All figures of the report."""
    init_default_scope(config.get('default_scope', 'finsta'))
    torch.manual_seed(0)
    if not args.train:
        # a task head may need data to be built; encoding does not use it
        config.model.head = config.model.teacher = config.model.transfer = None
    elif config.model.get('teacher') is None:
        raise UsageError(f'{args.config} has no teacher; --train compares a post-training step '
                         'with and without it')
    model = MODELS.build(config.model)
    batch = random_batch(model, args)
    figures = {'parameters of the backbone': parameters(model.backbone)}
    with torch.no_grad():
        figures['inference FLOPs per sample'] = count(
            lambda: model.eval().encode(batch['inputs'])) / args.batch
    if args.train:
        figures['parameters of the structure'] = parameters(model.teacher, True) \
            + parameters(model.transfer, True)
        whole = training_step(model, batch)
        model.teacher = None
        alone = training_step(model, batch)
        figures.update({'training FLOPs per sample, backbone alone': alone / args.batch,
                        'training FLOPs per sample, with structure': whole / args.batch,
                        'added by the structure, %': 100 * (whole / alone - 1)})
    return figures


def main() -> None:
    args = parse_args()
    with errors_in_sentences(args.debug):
        config = Config.fromfile(find_config(args.config))
        config.merge_from_dict(args.cfg_options)
        figures = measure(config, args)
    if args.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        unit = 1e9 if 'FLOPs' in name else 1e6 if 'parameters' in name else 1
        suffix = {1e9: ' G', 1e6: ' M', 1: ''}[unit]
        print(f'{name:45s} {value / unit:12.3f}{suffix}')


if __name__ == '__main__':
    main()
