"""A few readable videos in the published tree of MSVD and MSVD-QA."""

import json
from pathlib import Path

from tests.datasets.conftest import write_video

# the lists name more videos than lie on disk, as after an incomplete download
SPLITS = {'train': ['aa_0_1', 'bb_0_2', 'cc-d_3_4', 'gone_0_1', 'lost_0_1'],
          'val': ['dd_0_1', 'absent_0_9'], 'test': ['ee_5_9', 'none_1_2']}
ON_DISK = ('aa_0_1', 'bb_0_2', 'cc-d_3_4', 'dd_0_1', 'ee_5_9')


def make_msvd(root: Path, captions: dict[str, list[str]] | None = None) -> Path:
    """Write the tree under ``root``; ``captions`` of some videos in place of the usual two."""
    clips = root / 'YouTubeClips'
    clips.mkdir(parents=True)
    for k, name in enumerate(ON_DISK):
        write_video(clips / f'{name}.avi', 12 + k)
    names = [name for split in SPLITS.values() for name in split]
    number = {name: k + 1 for k, name in enumerate(names)}
    (root / 'youtube_mapping.txt').write_text(
        ''.join(f'{name} vid{k}\n' for name, k in number.items()))
    rows, qid = [], 0
    for split, videos in SPLITS.items():
        (root / f'{split}_list.txt').write_text('\n'.join(videos) + '\n')
        questions = []
        for name in videos:
            usual = [f'a red circle of {name[:2]} moves left', f'{name[:2]} is shown']
            rows.append({'id': f'{name}.avi', 'caption': (captions or {}).get(name, usual)})
            for question, answer in (('what moves?', 'circle'), ('who is there?', name[:2])):
                questions.append({'answer': answer, 'id': qid, 'question': question,
                                  'video_id': number[name]})
                qid += 1
        (root / f'{split}_qa.json').write_text(json.dumps(questions))
    (root / 'training_label.json').write_text(json.dumps(rows[:5]))
    (root / 'testing_label.json').write_text(json.dumps(rows[5:]))
    return root
