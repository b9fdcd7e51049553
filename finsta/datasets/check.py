"""Is a data set laid out as it should be? Used by tools/datasets/<name>/check.py (ours)."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finsta.datasets.base import VideoTextDataset
from finsta.datasets.transforms.video import VideoError, open_video
from finsta.utils.errors import add_debug_argument, errors_in_sentences


def check_splits(dataset: type[VideoTextDataset], data_root: str | Path,
                 published: Mapping[str, int | None], open_videos: bool = False,
                 **kwargs: Any) -> dict[str, dict[str, Any]]:
    """Read every split and compare with what was published.

    Args:
        dataset: class of the data set. data_root: its folder.
        published: split -> number of annotation rows in the publication; None = not known.
        open_videos: decode the first and the last frame of each video found.
        **kwargs: further arguments of the class.

    Returns:
        split -> ``rows`` and ``published`` rows, ``videos`` found of ``videos_listed``,
        ``skipped`` (kind -> count), ``unreadable`` (file -> cause), ``error`` or None.
    """
    report: dict[str, dict[str, Any]] = {}
    for split, expected in published.items():
        entry: dict[str, Any] = dict(rows=0, published=expected, videos=0, videos_listed=0,
                                     skipped={}, unreadable={}, error=None)
        report[split] = entry
        data = dataset(data_root=str(data_root), split=split, test_mode=True, lazy_init=True,
                       **kwargs)
        try:
            entry['rows'] = sum(1 for _ in data.load_rows())
            # full_init reads them again and counts anew what it leaves out
            data.tally.counts.clear()
            data.full_init()
        except (FileNotFoundError, ValueError) as error:
            entry['error'] = str(error)
            continue
        finally:
            entry['skipped'] = data.tally.summary()
        entry['videos'], entry['videos_listed'] = data.coverage
        if open_videos:
            files = dict.fromkeys(data.get_sample(i).video_path for i in range(len(data)))
            entry['unreadable'] = {f: cause for f in files if (cause := _fault(f)) is not None}
    return report


def print_report(name: str, report: Mapping[str, Mapping[str, Any]]) -> bool:
    """Print a report of :func:`check_splits`; True when every split is whole."""
    whole = True
    for split, entry in report.items():
        rows = entry['rows'] if entry['published'] is None else entry['published']
        fine = (entry['error'] is None and entry['rows'] == rows
                and entry['videos'] == entry['videos_listed'] and not entry['unreadable'])
        whole &= fine
        print(f'{name} {split}: {"ok" if fine else "INCOMPLETE"}; {entry["rows"]} of '
              f'{rows} rows, {entry["videos"]} of {entry["videos_listed"]} videos'
              + ''.join(f', {count} {kind}' for kind, count in entry['skipped'].items()))
        if entry['error'] is not None:
            print(f'  {entry["error"]}')
        for cause in entry['unreadable'].values():
            print(f'  {cause}')
    return whole


def check_command(dataset: type[VideoTextDataset], root: str, published: Mapping[str, int | None],
                  doc: str, captions: bool = False) -> int:
    """The command line of tools/datasets/<name>/check.py; returns its exit status, 0 = whole.

    Args:
        dataset, published: of :func:`check_splits`. root: default folder.
        doc: docstring of the tool. captions: offer other names for the files that hold the
            captions of all splits.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument('root', nargs='?', default=root,
                        help='folder of the data set (default: %(default)s)')
    parser.add_argument('--open', action='store_true', help='decode two frames of every video')
    if captions:
        parser.add_argument('--captions', nargs='+', dest='ann_file', metavar='FILE',
                            help='caption files, relative to the root')
    add_debug_argument(parser)
    args = vars(parser.parse_args())
    with errors_in_sentences(args.pop('debug')):
        root = Path(args.pop('root'))
        if not root.exists():
            raise FileNotFoundError(f'there is no {root}; name the folder of the data set, whose '
                                    f'layout tools/datasets/{dataset.name.lower()} describes')
        if not root.is_dir():
            raise NotADirectoryError(f'{root} is no folder; name the folder of the data set')
        report = check_splits(dataset, root, published, args.pop('open'), **args)
    return 0 if print_report(dataset.name, report) else 1


def _fault(path: str) -> str | None:
    try:
        with open_video(path) as reader:
            reader.get_batch([0, len(reader) - 1])
    except VideoError as error:
        return str(error)
    return None
