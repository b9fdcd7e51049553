"""Which captions of an annotation file would GraphNeighbourSampler put side by side?

    A=data/msvd/training_label.json
    python tools/scene_graphs/parse_text.py --ann $A --out data/msvd/graphs
    python tools/analysis/show_neighbours.py --ann $A --store data/msvd/graphs

Prints how many captions have a neighbour, by similarity, and some pairs to read: the two should
tell of the same things and of other facts. Pairs that say the same in other words are false
negatives of NeighbourChoice. Needs no video. Ours.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finsta.datasets.graph_sampler import GraphNeighbourSampler
from finsta.evaluation.metrics.base import write_json
from finsta.utils.annotation_files import AnnotationError, read_json
from finsta.utils.arguments import positive
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.utils.provenance import provenance

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True)
class Caption:
    """A row as the sampler reads it."""

    video_id: str
    text: str
    captions: None = None


class Captions(list):
    """Rows of one caption each."""

    data_root = ''
    get_sample = list.__getitem__


def read_captions(path: Path) -> Captions:
    """Rows of a file in the layout of MSVD's training_label.json: a list of
    ``{'id': ..., 'caption': [text, ...]}``; ``image_id`` or ``video_id`` for ``id``.

    Raises:
        FileNotFoundError, AnnotationError: no such file, or another layout.
    """
    found = Captions()
    for i, row in enumerate(read_json(path)):
        names = [k for k in ('id', 'image_id', 'video_id') if isinstance(row, dict) and k in row]
        if not names or 'caption' not in row:
            raise AnnotationError(str(path), "no 'id' and 'caption'", i, 'caption',
                                  'give a file in the layout of training_label.json of MSVD')
        texts = [row['caption']] if isinstance(row['caption'], str) else row['caption']
        found += [Caption(str(row[names[0]]), t.strip()) for t in texts if t.strip()]
    return found


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--ann', type=Path, required=True, help='training_label.json of MSVD, or '
                        'a file in its layout')
    parser.add_argument('--store', required=True, help='graph store with the text graphs')
    parser.add_argument('--min-similarity', type=float, default=0.85,
                        help='of the pairs that are shown (default: %(default)s)')
    parser.add_argument('--show', type=positive, default=25,
                        help='pairs that are printed (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice (default: %(default)s)')
    parser.add_argument('--out', help='JSON file with the figures; captions are not written there')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        facts, rows = provenance(__file__, argv), read_captions(args.ann)
        start = time.monotonic()
        sampler = GraphNeighbourSampler(rows, dict(type='GraphStore', root=args.store),
                                        min_similarity=args.min_similarity, seed=args.seed)
        seconds = time.monotonic() - start
        shares = {str(level): sampler.share_with_neighbours(level) for level in LEVELS}
        print(f'{len(rows)} captions of {len({r.video_id for r in rows})} clips, compared in '
              f'{seconds:.1f} s')
        for level, share in shares.items():
            print(f'  {share:6.1%} have a neighbour of similarity {level} or more')
        order = np.array(sampler._order(0)).reshape(-1, 2)
        picked = np.random.default_rng(args.seed).choice(
            len(order), min(args.show, len(order)), replace=False)
        for first, second in order[picked]:
            print(f'{rows[first].text} | {rows[second].text}')
        if args.out:
            write_json(args.out, dict(facts, captions=len(rows), seconds=seconds,
                                      clips=len({r.video_id for r in rows}),
                                      neighbours=shares))


if __name__ == '__main__':
    main()
