"""The embedded world as its configs look for it, small."""

from pathlib import Path

import pytest


@pytest.fixture(scope='session')
def tiny_world(tmp_path_factory, tool_in) -> Path:
    """A folder with SynthVL `tiny` and its graphs where configs/synthvl looks for them."""
    folder = tmp_path_factory.mktemp('world')
    tool, data = tool_in(folder), Path('data/synthvl/msvd')
    steps = [('datasets/make_synthvl.py', '--size', 'tiny', '--pairs', 0, '--num-val', 1,
              '--num-test', 1, '--out', data, '--workers', 1, '--quiet'),
             ('scene_graphs/parse_text.py', '--ann', data / 'training_label.json', '--out',
              data / 'graphs', '--workers', 1, '--quiet'),
             ('scene_graphs/parse_video.py', '--videos', data / 'YouTubeClips', '--out',
              data / 'graphs', '--workers', 1, '--quiet')]
    for step in steps:
        done = tool(*step)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder
