"""Which frames of a video are read.

``uniform`` takes the centres of ``num`` equal segments, ``random`` one frame at random from each
segment (TSN, Wang et al. 2016), ``consecutive`` every ``stride``-th frame of one run, in the
middle or, in training, anywhere.
"""

import numpy as np

SAMPLING = ('uniform', 'random', 'consecutive')


def segment_frames(times: np.ndarray, start: float | None, end: float | None) -> np.ndarray:
    """Indices of the frames within [start, end] seconds; at least one.

    Args:
        times: (F,) seconds, not decreasing. start, end: None = open.

    Raises:
        ValueError: ``end`` before ``start``, or no frames at all.
    """
    if not len(times):
        raise ValueError('a video without frames has no segment')
    if start is not None and end is not None and end < start:
        raise ValueError(f'the segment ends ({end} s) before it starts ({start} s)')
    low = -np.inf if start is None else start
    high = np.inf if end is None else end
    inside = np.flatnonzero((times >= low) & (times <= high))
    if inside.size:
        return inside
    # between two frames, or beyond the last one: the frame nearest to the segment
    middle = np.clip((max(low, times[0]) + min(high, times[-1])) / 2, times[0], times[-1])
    return np.array([int(np.abs(times - middle).argmin())])


def sample_indices(num_frames: int, num: int, mode: str = 'uniform', stride: int = 1,
                   training: bool = False, rng: np.random.RandomState | None = None
                   ) -> np.ndarray:
    """Increasing indices in [0, num_frames), ``min(num, num_frames)`` of them.

    Args:
        num_frames: frames there are. num: frames wanted. mode: one of ``SAMPLING``.
        stride: of ``consecutive``; it shrinks where the video is too short.
        training: lets ``consecutive`` start anywhere and ``random`` be random; otherwise both are
            centred.
        rng: numpy's global generator by default.

    Raises:
        ValueError: an unknown mode, or numbers below 1.
    """
    if mode not in SAMPLING:
        raise ValueError(f'sampling {mode!r} is none of {SAMPLING}')
    if num < 1 or num_frames < 1 or stride < 1:
        raise ValueError(f'num_frames={num_frames}, num={num}, stride={stride}: at least 1 each')
    rng = rng or np.random
    if num >= num_frames:
        return np.arange(num_frames)
    if mode == 'consecutive':
        stride = min(stride, (num_frames - 1) // max(num - 1, 1))
        slack = num_frames - 1 - (num - 1) * stride
        first = rng.randint(slack + 1) if training else slack // 2
        return first + np.arange(num) * stride
    edges = np.arange(num + 1) * num_frames // num
    if mode == 'random' and training:
        return edges[:-1] + (rng.random_sample(num) * np.diff(edges)).astype(np.int64)
    return (2 * np.arange(num) + 1) * num_frames // (2 * num)
