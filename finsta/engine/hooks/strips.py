"""A picture per tested sample: its input frames in a row, and below them what was predicted."""

from pathlib import Path

import numpy as np
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from finsta.registry import HOOKS
from finsta.structures import FrameFeatures
from finsta.utils.optional import require

_HIDDEN = ('video_emb', 'text_embs', 'caption_ids', 'meta')


@HOOKS.register_module()
class PredictionStripHook(Hook):
    """Writes ``<out_dir>/<rank>_<number>.png`` while testing.

    Args:
        out_dir: folder, made if absent.
        limit: at most so many pictures per process.
        height: of a frame in the picture, in pixels.
    """

    def __init__(self, out_dir: str, limit: int = 50, height: int = 160) -> None:
        self.out_dir = Path(out_dir)
        self.limit = limit
        self.height = height
        self.written = 0

    def before_test(self, runner) -> None:
        """Make the folder."""
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self.written = 0

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Draw the samples of one batch; frames (B, F, 3, H, W) uint8, outputs B dicts."""
        inputs = data_batch['inputs']
        if isinstance(inputs['frames'], FrameFeatures):
            raise ValueError('there are no frames to draw: the pipeline reads cached features '
                             '(LoadFrameFeatures); draw with the config that reads the videos')
        for frames, valid, output in zip(inputs['frames'], inputs['frame_mask'], outputs,
                                         strict=False):
            if self.written >= self.limit:
                return
            lines = [f'{key}: {value}' for key, value in output.items() if key not in _HIDDEN]
            picture = self._draw(frames[valid].permute(0, 2, 3, 1).cpu().numpy(), lines)
            name = self.out_dir / f'{get_rank()}_{self.written:04d}.png'
            require('cv2', 'drawing predictions').imwrite(str(name), picture[..., ::-1])
            self.written += 1

    def _draw(self, frames: np.ndarray, lines: list[str]) -> np.ndarray:
        """(F, H, W, 3) uint8 RGB -> one RGB picture, uint8."""
        cv2 = require('cv2', 'drawing predictions')
        width = round(frames.shape[2] * self.height / frames.shape[1])
        strip = np.concatenate([cv2.resize(frame, (width, self.height)) for frame in frames], 1)
        foot = np.full((22 * len(lines) + 8, max(strip.shape[1], 320), 3), 255, np.uint8)
        for row, line in enumerate(lines):
            ascii_line = line.encode('ascii', 'replace').decode()
            cv2.putText(foot, ascii_line, (6, 20 + 22 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.5,
                        (0, 0, 0), 1, cv2.LINE_AA)
        missing = foot.shape[1] - strip.shape[1]
        strip = np.pad(strip, ((0, 0), (0, missing), (0, 0)), constant_values=255)
        return np.concatenate([strip, foot])
