"""Fold a saved backbone's LoRA adapters into its weights: the plain model's keys and cost.

    python tools/convert/merge_lora.py work_dirs/posttrain_msvd_videollava/backbone OUT

OUT is a saved backbone without adapters: a config that has some is given model.backbone.lora=None
with it. A training that goes on with the adapters needs the folder they are in.
"""

import argparse
from pathlib import Path

from finsta.models.backbones.checkpoint import CheckpointError, load_backbone, sha256
from finsta.models.backbones.convert import check_target
from finsta.utils.errors import add_debug_argument, errors_in_sentences


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('source', type=Path, help='folder of a backbone saved with LoRA')
    parser.add_argument('out', type=Path, help='folder to write')
    parser.add_argument('--overwrite', action='store_true',
                        help='write into a folder that holds something')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        check_target(args.out, args.overwrite)
        backbone = load_backbone(args.source)
        if not backbone.cfg.get('lora'):
            raise CheckpointError(f'{args.source} has no LoRA adapters; it is plain already')
        backbone.merge_lora()
        backbone.save(args.out, dict(merged_from=str(args.source),
                                     sha256=sha256(args.source / 'model.safetensors')))
    print(f'{sum(p.numel() for p in backbone.parameters()):,} parameters written to {args.out}')


if __name__ == '__main__':
    main()
