"""Write the csv form of MSVD-QA in its original JSON layout.

    python tools/datasets/msvd_qa/convert.py train.csv data/msvd/train_qa.json

The loader reads both forms; the configs name the JSON files.
"""

import argparse
import sys
from pathlib import Path

from finsta.datasets.msvd_qa import read_questions
from finsta.evaluation.metrics.base import write_json
from finsta.utils.errors import add_debug_argument, errors_in_sentences


def convert(source: str | Path, target: str | Path) -> int:
    """Returns the number of questions; complaints are those of the loader."""
    rows = [{'answer': answer, 'id': int(qid), 'question': question, 'video_id': video}
            for video, qid, question, answer in read_questions(str(source))]
    write_json(target, rows)
    return len(rows)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', help='csv with video, question, answer, qid')
    parser.add_argument('target', help='JSON file to write')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        print(f'{args.target}: {convert(args.source, args.target)} questions')
    return 0


if __name__ == '__main__':
    sys.exit(main())
