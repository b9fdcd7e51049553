"""Action Genome's pickles -> JSON, through an unpickler that builds plain data only.

``python -m finsta.parsing.video.convert_action_genome OBJECTS.pkl PERSONS.pkl OUT.json --fps 30``

Upstream publishes ``object_bbox_and_relationship.pkl`` and ``person_bbox.pkl`` and nothing else.
A pickle is a program; this reader refuses every global except numpy's array reconstruction.
"""

import argparse
import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from finsta.structures import GraphError

_NUMPY = {('_reconstruct', 'multiarray'), ('scalar', 'multiarray')}


class PlainUnpickler(pickle.Unpickler):
    """Builds dict, list, tuple, str, numbers, and numpy arrays of numbers; refuses the rest."""

    def find_class(self, module: str, name: str) -> Any:
        """Only numpy's constructors; GraphError names anything else."""
        tail = module.rsplit('.', 1)[-1]
        if module.startswith(('numpy.core.', 'numpy._core.')) and (name, tail) in _NUMPY:
            return getattr(np._core.multiarray if hasattr(np, '_core') else np.core.multiarray,
                           name)
        if module == 'numpy' and name in ('ndarray', 'dtype'):
            return getattr(np, name)
        if module == '_codecs' and name == 'encode':
            return _latin1
        raise GraphError(f'the pickle asks for {module}.{name}; only plain data and numpy arrays '
                         'are read: do not trust this file')


def _latin1(text: str, encoding: str = 'latin1') -> bytes:
    # how protocol 2 spells the bytes of an array
    if encoding not in ('latin1', 'latin-1'):
        raise GraphError(f'the pickle asks for the codec {encoding!r}: do not trust this file')
    return text.encode('latin1')


def load_plain_pickle(path: Path) -> Any:
    """Plain data of a pickle; GraphError if it is damaged or asks for anything else."""
    try:
        return PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, TypeError, ValueError,
            KeyError) as error:
        if isinstance(error, GraphError):
            raise GraphError(f'{path}: {error}') from error
        raise GraphError(f'{path}: not a readable pickle ({error}); fetch it again') from error


def convert(objects: Path, persons: Path, fps: float) -> dict[str, Any]:
    """The JSON content that ``layouts/action_genome.py`` reads.

    Raises:
        GraphError: naming the file, the frame and the key that is missing or wrong.
    """
    people = load_plain_pickle(persons)
    videos: dict[str, Any] = {}
    for key, found in load_plain_pickle(objects).items():
        where = f'{objects}, frame {key!r}'
        video, _, frame = str(key).partition('/')
        if not frame[:-4].isdigit() or not isinstance(found, list):
            raise GraphError(f'{where}: expected VIDEO/NUMBER.png with a list of objects')
        if key not in people:
            raise GraphError(f'{persons}: frame {key!r} is missing; both files must come from one '
                             'release')
        person = people[key]
        try:
            size = [int(v) for v in person['bbox_size']]
            boxes = np.asarray(person['bbox'], float).reshape(-1, 4)
        except (KeyError, TypeError, ValueError) as error:
            raise GraphError(f'{persons}, frame {key!r}: needs "bbox" (n, 4) and "bbox_size" '
                             f'(w, h), got {error}') from error
        row = videos.setdefault(video, {'size': size, 'frames': {}})
        row['frames'][str(int(frame[:-4]))] = {
            'person': boxes[0].tolist() if len(boxes) else None,
            'objects': [_thing(o, where) for o in found]}
    return {'source': 'Action Genome v1.0', 'fps': fps, 'videos': videos}


def _thing(row: dict, where: str) -> dict[str, Any]:
    try:
        box = row['bbox']
        visible = bool(row['visible']) and box is not None
        return {'class': str(row['class']), 'visible': visible,
                'bbox': [float(v) for v in box] if visible else None,
                **{k: [str(p) for p in row[f'{k}_relationship'] or ()]
                   for k in ('attention', 'spatial', 'contacting')}}
    except (KeyError, TypeError, ValueError) as error:
        raise GraphError(f'{where}: object row lacks or misstates {error}; fetch the file again'
                         ) from error


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('objects', type=Path, help='object_bbox_and_relationship.pkl')
    parser.add_argument('persons', type=Path, help='person_bbox.pkl')
    parser.add_argument('out', type=Path, help='JSON file to write')
    parser.add_argument('--fps', type=float, default=30.0, help='frame rate of the videos')
    args = parser.parse_args()
    content = convert(args.objects, args.persons, args.fps)
    args.out.write_text(json.dumps(content), encoding='utf-8')
    print(f'{args.out}: {len(content["videos"])} videos')


if __name__ == '__main__':
    main()
