"""Puts the post-trained backbone aside, alone."""

from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log

from finsta.registry import HOOKS
from finsta.utils.distributed import unwrapped


@HOOKS.register_module()
class BackboneExportHook(Hook):
    """After training, saves ``model.backbone`` into a folder that fine-tuning starts from.

    Finsta is free at inference: the folder holds the plain backbone's keys and nothing of the
    structure.

    Args:
        out_dir: folder; relative paths lie in the work directory.

    Raises:
        TypeError: when the model has no backbone with ``save(folder)``.
    """

    # after the checkpoint of the last iteration
    priority = 'LOWEST'

    def __init__(self, out_dir: str = 'backbone') -> None:
        self.out_dir = out_dir

    def before_train(self, runner) -> None:
        """Find out at the start, not after hours, that there is nothing to save."""
        if not hasattr(getattr(unwrapped(runner.model), 'backbone', None), 'save'):
            raise TypeError(f'BackboneExportHook needs a model whose backbone has save(folder); '
                            f'{type(unwrapped(runner.model)).__name__} has none')

    @master_only
    def after_train(self, runner) -> None:
        """Write the folder."""
        folder = Path(runner.work_dir) / self.out_dir
        folder.mkdir(parents=True, exist_ok=True)
        unwrapped(runner.model).backbone.save(str(folder))
        print_log(f'backbone saved in {folder}', logger='current')
