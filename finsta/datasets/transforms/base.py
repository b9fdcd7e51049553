"""The form of a transform: a dictionary in, a dictionary out."""

from typing import Any


class Transform:
    """One step of a pipeline; subclasses write :meth:`transform`.

    Random choices are drawn from numpy's global generator, which the training loop seeds per
    sample (finsta.utils.seeding), so that a resumed run and any number of workers see the same.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Returns ``results``, changed."""
        raise NotImplementedError

    def before_training(self, dataset: Any, config_file: str = 'CONFIG') -> None:
        """Called once, in the main process, before the first sample is read: whatever would make
        the whole training worthless is found here, not hours later.

        Args:
            dataset: the data set trained on, with ``get_sample``; cheap questions only.
            config_file: of the run, for commands in messages.
        """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        return self.transform(results)

    def __repr__(self) -> str:
        own = ', '.join(f'{k}={v!r}' for k, v in vars(self).items() if not k.startswith('_'))
        return f'{type(self).__name__}({own})'
