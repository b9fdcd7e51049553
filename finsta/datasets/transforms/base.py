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

    def check_rows(self, dataset: Any) -> None:
        """Called once with a complete ``VideoTextDataset``, before any worker starts: says what
        it lacks for this step, and raises where every row would lack it."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        return self.transform(results)

    def __repr__(self) -> str:
        own = ', '.join(f'{k}={v!r}' for k, v in vars(self).items() if not k.startswith('_'))
        return f'{type(self).__name__}({own})'
