"""Error classes that more than one package raises, or catches."""

import sys


class CheckpointError(ValueError):
    """Weights that do not fit the model, or a file that is not what it claims to be; the message
    says why and what to do."""


def input_errors() -> tuple[type[BaseException], ...]:
    """What a broken or odd input may raise in a reader or in the arithmetic on its content; for
    ``except input_errors() as error``.

    What is left (TypeError, NameError, AttributeError, ...) is a mistake in the code, which every
    input would meet. OpenCV's error is among them once OpenCV is loaded: before, nobody raises it.
    """
    own = (OSError, ValueError, RuntimeError, EOFError, MemoryError, ArithmeticError, LookupError)
    cv2 = sys.modules.get('cv2')
    return own if cv2 is None else (*own, cv2.error)
