"""The schedule of Finsta's post-training: warm-up of the structure, then joint."""

from mmengine.hooks import Hook
from mmengine.logging import print_log

from finsta.registry import HOOKS
from finsta.utils.distributed import unwrapped


@HOOKS.register_module()
class StageHook(Hook):
    """Tells the model which stage an iteration belongs to (method.md, training schedule).

    Iterations ``0 .. warmup_iters - 1`` are ``'warmup'`` (only the structure learns; the backbone
    gets no gradient), the rest ``'joint'``. The stage follows from the iteration number, so a
    resumed run is in the right one.

    The structure takes longer than the host. With ``structure_every`` = k it is there in every
    k-th joint iteration only; the iterations between are ``'host'``: the host's own losses, its
    choices and the transfer losses that need the graphs alone, no teacher (ours).

    Args:
        warmup_iters: length of the warm-up; 0 = joint from the start.
        structure_every: k; 1 = always.

    Raises:
        TypeError: when the model has no ``set_stage(name)``.
        ValueError: when the run would end within the warm-up, in which the backbone rests.
    """

    # before the other hooks of the iteration look at the model
    priority = 'VERY_HIGH'

    def __init__(self, warmup_iters: int, structure_every: int = 1) -> None:
        if warmup_iters < 0:
            raise ValueError(f'StageHook.warmup_iters must be >= 0, got {warmup_iters}')
        if structure_every < 1:
            raise ValueError(f'StageHook.structure_every must be >= 1, got {structure_every}')
        self.warmup_iters, self.structure_every = warmup_iters, structure_every
        self.stage: str | None = None

    def before_train(self, runner) -> None:
        """Check the model before any data is read."""
        model = unwrapped(runner.model)
        if not hasattr(model, 'set_stage'):
            raise TypeError(f'StageHook needs a model with set_stage(name), {type(model).__name__}'
                            ' has none; take the hook out of custom_hooks')
        if self.warmup_iters >= runner.max_iters:
            raise ValueError(
                f'StageHook.warmup_iters={self.warmup_iters} in custom_hooks is not below '
                f'train_cfg.max_iters={runner.max_iters}: the backbone rests in the warm-up, so '
                'that the run would export it as it came; lower the one or raise the other')
        self.stage = None

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Switch the model's stage when the iteration asks for another one."""
        past = runner.iter - self.warmup_iters
        if past < 0:
            stage = 'warmup'
        else:
            stage = 'host' if past % self.structure_every else 'joint'
        if stage != self.stage:
            unwrapped(runner.model).set_stage(stage)
            if past <= 0 or self.stage is None:
                print_log(f'iteration {runner.iter}: stage "{stage}"', logger='current')
            self.stage = stage
