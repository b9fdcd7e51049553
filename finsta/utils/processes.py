"""Worker processes that do not outlive the run."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Called in a worker: end it as soon as its parent has ended, however that came about.

    A parent that is killed cannot stop its workers. They would wait for tasks forever, or go on
    writing files that the resumed run writes, too.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()


def end_without_parent() -> None:
    """Called in a worker between two pieces of long work: end it if its parent has ended.

    The thread of :func:`end_with_parent` may wait for minutes for its turn beside a main thread
    that is never idle (seen on two busy cores: runnable, and not run once in 160 s).
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)
