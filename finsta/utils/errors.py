"""Error classes that more than one package raises or catches, and what a user sees of errors."""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.logging import print_log

PACKAGE = Path(__file__).resolve().parents[1]
# a path that is absent, of the wrong kind, taken, or not ours to touch
_PATH_ERRORS = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError,
                FileExistsError)


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


def add_debug_argument(parser: argparse.ArgumentParser) -> None:
    """The flag that every command has; hand its value to :func:`errors_in_sentences`."""
    parser.add_argument('--debug', action='store_true', help='show tracebacks of all errors')


@contextmanager
def errors_in_sentences(debug: bool, more: Callable[[Exception], str] | None = None
                        ) -> Iterator[None]:
    """Print what the user can mend (see :func:`is_worded`) as a sentence and exit with code 2.

    Any other error is a bug and keeps its traceback.

    Args:
        debug: leave all errors as they are.
        more: what else there is to say about an error, put behind its message.
    """
    try:
        yield
    except Exception as error:
        # frame 0 is this function, frame 1 the tool that opened the block
        frames = traceback.extract_tb(error.__traceback__, limit=2)
        tool = frames[1].filename if len(frames) > 1 else None
        if debug or not is_worded(error, tool):
            raise
        print_log(f'stopped by {type(error).__name__}', logger='current', level=10)
        print(f'\nerror: {sentence(error)}{more(error) if more else ""}\n(--debug shows where '
              'this happened)', file=sys.stderr)
        sys.exit(2)


def sentence(error: Exception) -> str:
    """The message of an error; of a bare error of the system, what is wrong with which path."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f'{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}'
    return str(error)


def is_worded(error: Exception, tool: str | None = None) -> bool:
    """Whether an error is the user's to mend, with a message written for people.

    That is an error about a path, an ImportError of a third-party package, an error class of this
    package (or of ``tool``), and a ValueError raised by a line of either. Not so errors of
    decoding text and JSON, whose messages name no file: whoever reads a user's file turns them
    into one that does.

    Args:
        tool: file of the command, whose ValueErrors count like those of the package.
    """
    if isinstance(error, _PATH_ERRORS):
        return True
    if isinstance(error, ImportError):
        # a missing package can be installed; a missing part of this one is a bug
        return (error.name or '').split('.')[0] != PACKAGE.name
    if type(error).__module__.split('.')[0] == PACKAGE.name:
        return True
    if not isinstance(error, ValueError) or isinstance(error, UnicodeError | json.JSONDecodeError):
        return False
    raised = _raised_in(error)
    return raised is not None and (raised == tool
                                   or Path(raised).resolve().is_relative_to(PACKAGE))


def _raised_in(error: Exception) -> str | None:
    """File of the line that raised it, in a worker process if it comes from one."""
    remote = getattr(error.__cause__, 'tb', None)   # concurrent.futures and multiprocessing
    if isinstance(remote, str):
        files = [line.split('"')[1] for line in remote.splitlines()
                 if line.startswith('  File "')]
        return files[-1] if files else None
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].filename if frames else None
