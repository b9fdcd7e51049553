"""Parse the videos of a corpus into a graph store, on all cores, resumable.

examples:
  # moving regions, tracks, colours, motion: needs no weights
  python tools/scene_graphs/parse_video.py --videos data/msvd/YouTubeClips --out data/msvd/graphs
  # a detector of your own (a local transformers folder), with CLIP for attributes and relations
  python tools/scene_graphs/parse_video.py --videos clips.txt --out graphs \\
      --parser DetectorVideoParser --parser-args detector=models/detr scorer=models/clip \\
      --workers 0
  # annotations instead of pixels (--videos may be left out: all that are annotated)
  python tools/scene_graphs/parse_video.py --out graphs --parser AnnotationVideoParser \\
      --parser-args ann_file=pvsg.json layout=pvsg
  # SynthVL's gold graphs
  python tools/scene_graphs/parse_video.py --gold data/synthvl/msvd --out data/synthvl/graphs_gold

A graph is stored under the video's id, the file name without its video extension, or with --root
DIR the path under that folder (the ids of WebVid-like corpora). A run that was killed goes on
where it was, also with --overwrite: call it again. Videos that could not be read are listed at the
end with the reason, in --json, and by inspect.py --failures; they do not stop the run.
"""

import argparse
import sys

from finsta.parsing.cli import (
    add_run_arguments,
    finish,
    parser_config,
    run_options,
)
from finsta.parsing.corpus import import_gold
from finsta.parsing.runner import list_videos, parse_videos
from finsta.parsing.store import GraphStore
from finsta.registry import SG_PARSERS
from finsta.utils.errors import errors_in_sentences


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0], epilog=__doc__.split('\n\n', 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_argument_group('where videos come from')
    source.add_argument('--videos', nargs='+', default=[], metavar='DIR|LIST|FILE',
                        help='folders (searched through), text files with a path a line, videos')
    source.add_argument('--root', metavar='DIR', help='ids are paths under this folder, not file '
                        'names: for corpora whose file names repeat (WebVid)')
    source.add_argument('--gold', metavar='DIR',
                        help='import gold graphs (videos.jsonl.gz) instead of parsing')
    add_run_arguments(parser, default_parser='MotionVideoParser', batch_size=1)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        config, options = parser_config(args, 'video'), run_options(args)
        if args.videos and args.gold:
            raise ValueError('--gold imports graphs instead of parsing: one store for both would '
                             'mix them; call once with --gold and once with --videos, each with '
                             'its own --out')
        videos = [path for source in args.videos for path in list_videos(source)]
        if not videos and not args.gold:
            built = SG_PARSERS.build(dict(config))
            if not getattr(built, 'video_ids', None):
                raise ValueError('nothing to parse: give --videos or --gold (--help shows '
                                 'examples)')
            videos = list(built.video_ids)
        with GraphStore(args.out, readonly=False) as store:
            gold = import_gold(args.gold, store, 'videos', args.overwrite) if args.gold else None
            report = parse_videos(videos, config, store, options, args.root) if videos else None
        return finish(args, report, gold)


if __name__ == '__main__':
    sys.exit(main())
