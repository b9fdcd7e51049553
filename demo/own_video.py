"""A video and a sentence in, one HTML page out: what was seen, what was said, what fits.

examples:
  python demo/own_video.py clip.mp4 "a man throws a ball to the left"
  python demo/own_video.py clip.mp4 "a dog runs" --detector models/owlv2 --clip models/clip \\
      --classes dog person ball
  python demo/own_video.py clip.mp4 "the red circle moves left" --against "it moves right"

Without any downloaded weights: moving regions, tracks, colours and motion by OpenCV, the text
parser that ships with Finsta, and matching by words. With --detector, things are named by the
detector; with --clip, attributes, relations and alignments are scored by CLIP. With a backbone's
checkpoint (--checkpoint, or the newest one of the quickstart), its video-text similarity too.
The page is self-contained: it can be sent by mail and opened anywhere.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from finsta.registry import MATCHERS, SG_PARSERS
from finsta.structures import DynamicSceneGraph, HolisticSceneGraph, SceneGraph
from finsta.utils.errors import add_debug_argument, errors_in_sentences
from finsta.visualization import HtmlPage, alignment_rows

QUICKSTART = Path('work_dirs/quickstart')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0], epilog=__doc__.split('\n\n', 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', help='a video file, anything that decord or PyAV reads')
    parser.add_argument('sentence', help='an English sentence or a short paragraph')
    parser.add_argument('--out', default='own_video.html', metavar='PAGE',
                        help='the page (default: %(default)s)')
    parser.add_argument('--detector', metavar='FOLDER',
                        help='a transformers object detector, instead of moving regions')
    parser.add_argument('--classes', nargs='+', metavar='WORD',
                        help='what an open-vocabulary --detector looks for (default: the objects '
                        'of the sentence)')
    parser.add_argument('--clip', metavar='FOLDER',
                        help='a CLIP-like model: matches words with image regions')
    parser.add_argument('--checkpoint', metavar='FOLDER',
                        help='a saved backbone, or the name of a shipped one (default: the '
                        f'newest below {QUICKSTART}, if any)')
    parser.add_argument('--against', nargs='+', default=[], metavar='SENTENCE',
                        help='further sentences for the similarity table')
    parser.add_argument('--max-frames', type=int, default=32, metavar='N',
                        help='key frames analysed, spread over the video (default: %(default)s)')
    parser.add_argument('--show', type=int, metavar='N',
                        help='pictures on the page (default: 8, or all of fewer key frames)')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def check(args: argparse.Namespace) -> None:
    """Before anything is read: what cannot be, and what would do nothing.

    Raises:
        ValueError: options that contradict each other.
        FileNotFoundError: no such video, or no saved backbone at --checkpoint.
    """
    args.sentence = ' '.join(args.sentence.split())
    if not args.sentence:
        raise ValueError('the sentence is empty; say what should be looked for, e.g. '
                         '"a man throws a ball"')
    if args.show is None:
        args.show = max(1, min(8, args.max_frames))
    if args.max_frames < 2 or args.show < 1:
        raise ValueError(f'--max-frames {args.max_frames} must be at least 2 and --show '
                         f'{args.show} at least 1')
    if args.classes and not args.detector:
        raise ValueError('--classes says what a --detector looks for; without one, moving regions '
                         'are found, which have no class: give --detector FOLDER or leave '
                         '--classes out')
    if not Path(args.video).is_file():
        raise FileNotFoundError(f'{args.video}: no such file')
    if Path(args.out).is_dir():
        raise IsADirectoryError(f'--out {args.out} is a folder; name a file, e.g. '
                                f'{Path(args.out) / "own_video.html"}')
    if args.checkpoint is not None:
        from finsta.models.backbones.saved import find_saved
        args.checkpoint = find_saved(args.checkpoint, '--checkpoint ')
    else:
        args.checkpoint = find_checkpoint()
    if args.against and args.checkpoint is None:
        raise ValueError('--against compares sentences by a backbone, and there is none: give '
                         f'--checkpoint FOLDER (nothing is saved below {QUICKSTART})')
    if args.show > args.max_frames:
        print(f'note: --show {args.show}, but no more than the --max-frames {args.max_frames} key '
              'frames can be shown', file=sys.stderr)


def see(args: argparse.Namespace, tsg: SceneGraph
        ) -> tuple[np.ndarray, np.ndarray, DynamicSceneGraph]:
    """Frames (n, H, W, 3), seconds (n,) and the dynamic graph over them."""
    if args.detector:
        from finsta.parsing.video.detector import is_open_vocabulary
        words = args.classes
        if not words and is_open_vocabulary(args.detector):
            # the sentence says what to look for
            words = sorted({tsg.nodes[i].label for i in tsg.of_kind('object')})
        parser = SG_PARSERS.build(dict(
            type='DetectorVideoParser', detector=args.detector, scorer=args.clip, classes=words,
            max_frames=args.max_frames))
    else:
        parser = SG_PARSERS.build(dict(type='MotionVideoParser', max_frames=args.max_frames))
    frames, times = parser.read(args.video)
    return frames, times, parser.parse_frames(frames, times, args.video)


def join(args: argparse.Namespace, tsg: SceneGraph, dsg: DynamicSceneGraph,
         frames: np.ndarray) -> HolisticSceneGraph:
    """Match by words, or by CLIP when a folder is given."""
    if not args.clip:
        return MATCHERS.build(dict(type='LexicalMatcher')).match(tsg, dsg)
    matcher = MATCHERS.build(dict(type='FrozenSimilarityMatcher', mutual_best=True,
                                  encoder=dict(type='ClipNodeEncoder', folder=args.clip)))
    return matcher.match(tsg, dsg, frames=list(frames))


def find_checkpoint(folder: Path = QUICKSTART) -> Path | None:
    """The newest saved backbone below ``folder``."""
    from finsta.models.backbones.checkpoint import is_saved_backbone
    found = [p.parent for p in folder.rglob('config.json') if is_saved_backbone(p.parent)]
    return max(found, key=lambda p: (p / 'config.json').stat().st_mtime, default=None)


@torch.inference_mode()
def similarities(folder: str | os.PathLike, frames: np.ndarray, sentences: list[str]
                 ) -> list[float]:
    """The backbone's score of each sentence with the video."""
    from finsta.models.backbones import load_backbone
    backbone = load_backbone(folder).eval()
    count = int(getattr(backbone, 'num_frames', 8) or 8)
    picks = np.linspace(0, len(frames) - 1, count).round().astype(int)
    clip = torch.from_numpy(np.ascontiguousarray(frames[picks])).permute(0, 3, 1, 2)[None]
    video = backbone.encode_video(backbone.preprocess_frames(clip))
    scores = backbone.similarity(backbone.encode_text(sentences), video)
    return [float(s) for s in scores[:, 0]]


def build_page(args: argparse.Namespace, frames: np.ndarray, dsg: DynamicSceneGraph,
               tsg: SceneGraph, hsg: HolisticSceneGraph, seconds: dict[str, float]) -> HtmlPage:
    """Everything that was found, on one page."""
    page = HtmlPage(Path(args.video).name, 'video, sentence and how they fit, by Finsta')
    rows = alignment_rows(hsg)
    said = {i for i, n in enumerate(tsg.nodes) if n.kind in ('object', 'predicate')}
    found = {row.text_node for row in rows} & said
    page.add_facts({
        'key frames': f'{len(frames)}, {frames.shape[2]} x {frames.shape[1]} pixels, '
                      f'{dsg.times[0]:.1f} to {dsg.times[-1]:.1f} s',
        'video parsed by': f'{dsg.parser} in {seconds["video"]:.1f} s',
        'sentence parsed by': tsg.parser, 'matched by': hsg.matcher,
        'found': f'{len(found)} of {len(said)} objects and actions of the sentence'})
    page.add_video_panel(list(frames), dsg, tsg, hsg, rows, max_frames=args.show)
    if args.checkpoint is not None:
        sentences = [args.sentence, *args.against]
        scores = similarities(args.checkpoint, frames, sentences)
        page.add_table(['sentence', 'similarity'], list(zip(sentences, scores, strict=True)),
                       'Video-text similarity of the backbone', {'similarity': 'max'})
        page.add_text(f'Backbone: {args.checkpoint}. The number means something beside that of '
                      'another sentence (--against) only.', muted=True)
    return page


def run(args: argparse.Namespace) -> Path:
    """Parse, match, draw; returns the page's path."""
    check(args)
    tsg = SG_PARSERS.build(dict(type='RuleTextParser')).parse([args.sentence])[0]
    if not tsg.nodes:
        print('note: the text parser found no object and no action in the sentence; the page '
              'shows the video only', file=sys.stderr)
    start = time.monotonic()
    frames, _, dsg = see(args, tsg)
    seconds = {'video': time.monotonic() - start}
    hsg = join(args, tsg, dsg, frames)
    return build_page(args, frames, dsg, tsg, hsg, seconds).save(args.out)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        path = run(args)
    print(f'{path}: {path.stat().st_size / 1e6:.1f} MB; open it in a browser')
    return 0


if __name__ == '__main__':
    sys.exit(main())
