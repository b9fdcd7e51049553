"""Make training_label.json and testing_label.json from the descriptions as MSVD released them.

    python tools/datasets/msvd/convert.py DESCRIPTIONS --root data/msvd

DESCRIPTIONS is the csv of the corpus (columns VideoID, Start, End, Language, Description; English
rows are kept) or AllVideoDescriptions.txt (lines ``<youtube>_<start>_<end> caption``, comments
with #). The split lists in --root say which video goes where: test videos into
testing_label.json, the others into training_label.json.
"""

import argparse
import sys
from pathlib import Path

from finsta.datasets.msvd import read_split
from finsta.evaluation.metrics.base import write_json
from finsta.utils.annotation_files import AnnotationError, read_csv, read_lines
from finsta.utils.errors import add_debug_argument, errors_in_sentences


def read_descriptions(path: str | Path) -> dict[str, list[str]]:
    """Video -> captions, in the order of the file.

    Raises:
        AnnotationError: a line without a caption, or a csv without the columns.
    """
    captions: dict[str, list[str]] = {}
    if str(path).removesuffix('.gz').endswith('.csv'):
        columns = ['VideoID', 'Start', 'End', 'Language', 'Description']
        for row in read_csv(path, columns):
            if row['Language'] == 'English' and row['Description'].strip():
                video = f'{row["VideoID"]}_{row["Start"]}_{row["End"]}'
                captions.setdefault(video, []).append(row['Description'].strip())
        return captions
    for i, line in enumerate(read_lines(path)):
        if line.startswith('#'):
            continue
        video, _, text = line.partition(' ')
        if not text.strip():
            raise AnnotationError(path, f'{line!r:.60} has no caption', i)
        captions.setdefault(video, []).append(text.strip())
    return captions


def convert(descriptions: str | Path, root: str | Path) -> dict[str, int]:
    """Write the two files; returns file name -> number of videos."""
    captions = read_descriptions(descriptions)
    out = {}
    for name, splits in (('training_label.json', ('train', 'val')),
                         ('testing_label.json', ('test',))):
        videos = [v for s in splits for v in read_split(f'{root}/{s}_list.txt') if v in captions]
        write_json(Path(root) / name, [{'caption': captions[v], 'id': f'{v}.avi'}
                                       for v in videos])
        out[name] = len(videos)
    return out


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('descriptions', help='the csv of the corpus, or AllVideoDescriptions.txt')
    parser.add_argument('--root', default='data/msvd', help='holds the split lists')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        for name, count in convert(args.descriptions, args.root).items():
            print(f'{args.root}/{name}: {count} videos')
    return 0


if __name__ == '__main__':
    sys.exit(main())
