"""The quickstart's page: the table, the curves of every training, and a few videos with graphs."""

import json
from pathlib import Path

import numpy as np

from finsta.datasets.transforms.video import open_video
from finsta.parsing.matchers import LexicalMatcher
from finsta.parsing.store import GraphStore
from finsta.visualization.report import write_report


def write_quickstart_report(root: Path, data: Path, rows: list[list], head: list[str],
                            num_videos: int = 4, num_frames: int = 8) -> Path:
    """Write ``root/report.html``.

    Args:
        root: work directory of the quickstart. data: SynthVL's folder.
        rows, head: the table; the best number of a column is marked.
        num_videos, num_frames: of the samples shown.
    """
    columns = {title: 'max' for title in head[1:]}
    results = {
        'title': 'Finsta on the embedded world',
        'subtitle': 'plain / control / Finsta from one tiny pre-trained backbone, one seed',
        'text': 'plain: the shipped backbone as it is. control: more steps of its own objective '
                'on the same pairs. Finsta: as many steps with the structure teacher, which is '
                'dropped afterwards. All three are then fine-tuned and tested in the same way; '
                'the minimal pairs are scored without fine-tuning. With one seed a point or two '
                'between rows is noise, and so few steps are not enough for a gain; '
                'docs/en/results/method.md has the longer training with three seeds.',
        'tables': [{'columns': head, 'rows': rows, 'best': columns}]}
    return write_report(root / 'report.html', results, read_curves(root),
                        sample_panels(data, num_videos, num_frames))


def read_curves(root: Path) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Loss curves of the trainings below ``root`` from mmengine's scalar logs."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for file in sorted(root.glob('*/seed*/**/vis_data/scalars.json')):
        arm, _, stage = file.relative_to(root).parts[:3]
        points: dict[str, list[tuple[float, float]]] = {}
        for line in file.read_text().splitlines():
            row = json.loads(line)
            for key, value in row.items():
                if (key == 'loss' or key.startswith('loss_')) and 'step' in row:
                    points.setdefault(key, []).append((row['step'], value))
        if 'loss' in points:
            curves.setdefault(f'{stage}: total loss', {})[arm] = points['loss']
        if stage == 'posttrain' and len(points) > 2:
            chosen = {k: v for k, v in points.items() if k != 'loss'}
            curves[f'{arm}: the terms of the loss'] = chosen
    return curves


def sample_panels(data: Path, num_videos: int, num_frames: int) -> list[dict]:
    """Frames, graphs and alignments of the first training videos that have both graphs."""
    store, matcher = GraphStore(data / 'graphs'), LexicalMatcher()
    captions = {row['id'].rsplit('.', 1)[0]: row['caption']
                for row in json.loads((data / 'training_label.json').read_text())}
    panels = []
    for line in (data / 'train_videos.txt').read_text().split('\n'):
        video = Path(line.strip())
        dsg = store.get_video(video.stem) if line.strip() else None
        text = max(captions.get(video.stem, ['']), key=len)
        tsg = store.get_text(text, video.stem)
        if dsg is None or tsg is None or len(dsg.frames) < 2:
            continue
        keep = np.unique(np.linspace(0, len(dsg.frames) - 1, num_frames).round().astype(int))
        dsg = dsg.sample(keep.tolist())
        with open_video(str(video)) as reader:
            nearest = [int(np.abs(np.asarray(reader.times) - t).argmin()) for t in dsg.times]
            frames = list(reader.get_batch(nearest))
        panels.append({'frames': frames, 'dsg': dsg, 'tsg': tsg,
                       'hsg': matcher.match(tsg, dsg), 'title': f'{video.stem}: {text}'})
        if len(panels) == num_videos:
            break
    return panels
