"""Models of other people, read by transformers: its errors with the name, the use, the remedy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from finsta.utils.errors import CheckpointError, input_errors


@contextmanager
def reading_model(name: str, what: str) -> Iterator[None]:
    """Around ``from_pretrained``.

    Args:
        name: folder or hub name. what: which option it was given as, e.g. 'detector'.

    Raises:
        CheckpointError: in the place of what the libraries raise for a folder that is absent,
            incomplete, damaged or of another kind of model.
    """
    safetensors = sys.modules.get('safetensors')
    broken = input_errors() if safetensors is None else (*input_errors(),
                                                         safetensors.SafetensorError)
    try:
        yield
    except broken as error:
        raise CheckpointError(f'{what}={name}: no model can be read there ({error}); give a '
                              'folder with config, weights and preprocessor, as save_pretrained '
                              'writes it, or a hub name that can be reached') from error
