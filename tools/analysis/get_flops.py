"""Count parameters and FLOPs of a config's model on random input.

examples:
  python tools/analysis/get_flops.py configs/finsta/videoqa_msvd.py
  python tools/analysis/get_flops.py configs/finsta/posttrain_msvd.py --train --batch 4 \\
      --frames 8 --objects 10
  # the full size, and the figures that are published here
  python tools/analysis/get_flops.py configs/finsta/posttrain_msvd.py --train --batch 1 \\
      --objects 10 --out docs/en/results/flops_vit-b32.json
  # a host of HD-VILA's size (about 310 M), 7 frames, the default teacher; with
  # configs/finsta/posttrain_msvd_neighbours.py the recipe that computes it in every fourth step
  python tools/analysis/get_flops.py configs/finsta/posttrain_msvd.py --hd-vila --train \\
      --batch 1 --frames 7 --objects 10 --out docs/en/results/flops.json

Inference is the backbone's encoding of one batch. With --train, a whole training step (forward
and backward) of the post-training model is compared with the same step of the backbone alone; the
graphs are random ones of the given size. Counted are matrix products, convolutions and attention
(torch's FlopCounterMode, from shapes alone): one multiply-add is two FLOPs. Sparse sums are not
counted, so graph attention runs on the dense back end unless the config names one: padded matrix
products, which is more than the sparse back ends do. The frozen node encoder's share is its
forward pass over the frames; labels are encoded once in a run and left out. Where StageHook
computes the teacher in every k-th step only, the steps between and the mean of both are counted
too (the warm-up is not).

Counting needs sizes, no weights: where those that a config names are not at hand, CLIP4Clip on
CLIP ViT-B/32 and ALPRO are built at their published sizes with random ones. Their texts are then
split by the shipped tokeniser (into about as many pieces). Other backbones need their weights.

--hd-vila puts a CLIP4Clip with ViT-L's width in the place of the config's backbone: 20 blocks of
1024 on patches of 14 in 224 pixels, a text tower of 8 blocks of 768, random weights. It has
HD-VILA's number of parameters and frames, not its architecture.
"""

import argparse
import functools
import json
import random
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from finsta.engine.launch import UsageError, errors_in_sentences, read_config
from finsta.evaluation.metrics.base import write_json
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
from finsta.utils.arguments import KeyValueAction, positive
from finsta.utils.errors import add_debug_argument
from finsta.utils.provenance import provenance

HD_VILA_SIZE = dict(
    type='CLIP4Clip', tokenizer='tiny', temporal='meanP', num_frames=7, max_text_length=50,
    text=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=8,
              num_attention_heads=12, max_position_embeddings=77),
    vision=dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=20,
                num_attention_heads=16, image_size=224, patch_size=14))
# entries of CLIPTextConfig and CLIPVisionConfig of the released checkpoint
CLIP_SIZES = {'openai/clip-vit-base-patch32': dict(
    projection_dim=512,
    text=dict(vocab_size=49408, hidden_size=512, intermediate_size=2048, num_hidden_layers=12,
              num_attention_heads=8, max_position_embeddings=77),
    vision=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                num_attention_heads=12, image_size=224, patch_size=32))}
WORDS = ('a', 'the', 'man', 'dog', 'ball', 'red', 'blue', 'small', 'runs', 'throws', 'holds')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0], epilog=__doc__.split('\n\n', 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='file, relative to here, the checkout or the package')
    parser.add_argument('--batch', type=positive, default=2,
                        help='videos and texts of a step (default: %(default)s)')
    parser.add_argument('--frames', type=positive, help="per video (default: the backbone's)")
    parser.add_argument('--size', type=positive, help="pixels, square (default: the backbone's)")
    parser.add_argument('--words', type=positive, default=12, help='per text')
    parser.add_argument('--objects', type=positive, default=5, help='per text and per key frame')
    parser.add_argument('--train', action='store_true', help='a training step, with and without '
                        'the structure')
    parser.add_argument('--hd-vila', action='store_true', help='a host of about 310 M parameters '
                        "instead of the config's backbone")
    parser.add_argument('--json', action='store_true', help='print JSON only')
    parser.add_argument('--out', help='write the figures there too, with the command')
    parser.add_argument('--cfg-options', nargs='+', action=KeyValueAction, default={},
                        metavar='KEY=VALUE', help='change config values, as in tools/train.py')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def at_random(backbone: dict) -> dict:
    """The backbone with random weights at the same sizes, where these are known and no weights
    lie at the path or in the folder that its ``pretrained`` names; else as it is."""
    name = backbone.get('pretrained')
    if name is None or Path(name).exists():
        return backbone
    if backbone['type'] == 'CLIP4Clip' and name in CLIP_SIZES:
        return {**backbone, **CLIP_SIZES[name], 'pretrained': None, 'tokenizer': 'tiny'}
    if backbone['type'] == 'ALPRO':   # its configs hold the sizes, BERT-base and TimeSformer-B
        return {**backbone, 'pretrained': None, 'tokenizer': 'tiny'}
    return backbone


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


class _NotComputed(TorchDispatchMode):
    """The operations that are counted return zeros of the right shape, so that a large model is
    counted in seconds; everything else (graphs, indices, losses) runs."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._overloadpacket not in flop_registry:
            return func(*args, **(kwargs or {}))
        move = functools.partial(tree_map_only, torch.Tensor, lambda x: x.to('meta'))
        out = func(*move(args), **move(kwargs or {}))
        device = next(x.device for x in tree_leaves(args) if isinstance(x, torch.Tensor))
        return tree_map_only(torch.Tensor, lambda x: torch.zeros_like(x, device=device), out)


def count(function) -> int:
    """FLOPs of one call, counted from the shapes of its matrix products."""
    with _NotComputed(), FlopCounterMode(display=False) as counter:
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


def inference_flops(model: nn.Module, batch: dict) -> int:
    """FLOPs of encoding a batch for a task."""
    with torch.no_grad():
        return count(lambda: model.eval().encode(batch['inputs']))


def frozen_encoder(model: nn.Module, batch: dict) -> int:
    """FLOPs of the frozen node encoder on the batch's frames; fills its cache of labels."""
    inputs, encoder = batch['inputs'], model.teacher.node_encoder
    for graphs in (inputs['graphs'].tsg, inputs['graphs'].dsg):
        encoder.encode_labels(graphs.labels)
    frames = model.backbone.preprocess_frames(inputs['frames'])
    return count(lambda: encoder.encode_regions(
        frames, inputs['frame_mask'], inputs['crop'], inputs['graph_frames'],
        inputs['graphs'].dsg))


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
    else:
        config.model.teacher.setdefault('encoder', {}).setdefault('ops', 'dense')
    config.model.backbone = HD_VILA_SIZE if args.hd_vila else at_random(config.model.backbone)
    model = MODELS.build(config.model)
    args.frames = args.frames or model.backbone.num_frames
    batch = random_batch(model, args)
    figures = {'parameters of the backbone': parameters(model.backbone)}
    teacher, model.teacher = model.teacher, None
    inference = inference_flops(model, batch)
    model.teacher = teacher
    figures['inference FLOPs per sample'] = inference / args.batch
    if args.train:
        figures['parameters of the structure'] = parameters(model.teacher, True) \
            + parameters(model.transfer, True)
        frozen = frozen_encoder(model, batch)
        whole = training_step(model, batch)
        every = structure_every(config)
        model.set_stage('host')
        between = training_step(model, batch)
        model.set_stage('joint')
        teacher, model.teacher = model.teacher, None
        neighbours, model.neighbours = model.neighbours, None
        alone = training_step(model, batch)
        model.teacher, model.neighbours = teacher, neighbours
        figures.update({'training FLOPs per sample, backbone alone': alone / args.batch,
                        'training FLOPs per sample, with structure': whole / args.batch,
                        'added by the structure, %': 100 * (whole / alone - 1),
                        'of which the frozen node encoder, %': 100 * frozen / alone,
                        'of which graph encoders, losses, transfer, %':
                            100 * ((whole - frozen) / alone - 1)})
        if every > 1:
            mean = (whole + (every - 1) * between) / every
            figures.update({'added in the steps between (no teacher), %':
                                100 * (between / alone - 1),
                            f'added on average, the teacher in one step of {every}, %':
                                100 * (mean / alone - 1)})
        figures['added at inference, %'] = 100 * (inference_flops(model, batch) / inference - 1)
    return figures


def structure_every(config: Config) -> int:
    """The teacher is computed in every k-th joint step; 1 = always."""
    return next((hook.get('structure_every', 1) for hook in config.get('custom_hooks') or ()
                 if hook['type'] == 'StageHook'), 1)


def host_of(config: Config) -> str:
    """One line on the backbone."""
    backbone = config.model.backbone
    vision = backbone.get('vision') or {}
    return backbone.type if 'hidden_size' not in vision else (
        f'{backbone.type}, {vision.num_hidden_layers} x {vision.hidden_size}, patches of '
        f'{vision.patch_size} in {vision.image_size} px')


def main(argv: list[str] | None = None) -> None:
    args, facts = parse_args(argv), provenance(__file__, argv)
    with errors_in_sentences(args.debug):
        config = read_config(args.config, args.cfg_options)
        figures = measure(config, args)
        if args.out:
            write_json(args.out, dict(
                facts, torch=torch.__version__, host=host_of(config),
                graph_attention=config.model.teacher.encoder.ops if args.train else None,
                batch=args.batch, frames=args.frames, words=args.words, objects=args.objects,
                figures=figures))
    if args.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        unit = 1e9 if 'FLOPs' in name else 1e6 if 'parameters' in name else 1
        suffix = {1e9: ' G', 1e6: ' M', 1: ''}[unit]
        print(f'{name:45s} {value / unit:12.3f}{suffix}')


if __name__ == '__main__':
    main()
