"""Every real clip through the reader and the motion parser; skipped where there are none."""

import os
import time
from pathlib import Path

import pytest

from finsta.parsing.video.motion import MotionVideoParser

SHARED = Path(os.environ.get('FINSTA_SHARED_DATA',
                             Path(__file__).resolve().parents[4] / 'shared' / 'data'))
CLIPS = sorted(p for p in (SHARED / 'videos').glob('*') if p.suffix != '.json')


@pytest.mark.slow
@pytest.mark.skipif(not CLIPS, reason='no real clips: set FINSTA_SHARED_DATA')
def test_every_real_clip_gives_a_bounded_graph():
    parser = MotionVideoParser(max_frames=16, max_size=160, max_objects=6)
    start = time.perf_counter()
    graphs = parser.parse([str(p) for p in CLIPS])
    seconds = time.perf_counter() - start
    filled = [g for g in graphs if any(f.nodes for f in g.frames)]
    print(f'\n{len(CLIPS)} real clips in {seconds:.1f} s, {len(CLIPS) / seconds:.1f} videos/s; '
          f'{len(filled)} with objects, {parser.num_empty} empty, '
          f'{parser.num_unreadable} unreadable')
    assert parser.num_unreadable == 0
    # a still slide show has nothing to find; most clips show something that moves
    assert len(filled) >= 0.6 * len(CLIPS)
    for graph in graphs:
        assert 1 <= len(graph.frames) <= 16
        assert max(len(f.of_kind('object')) for f in graph.frames) <= 6
    words = {n.label for g in graphs for f in g.frames for n in f.nodes if n.kind == 'predicate'}
    assert {'move left', 'move right'} <= words
