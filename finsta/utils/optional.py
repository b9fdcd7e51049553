"""Optional dependencies: one function, one sentence that says what to install."""

import importlib
from types import ModuleType

# import name -> what brings it
_INSTALL = {
    'av': 'pip install finsta[video]',
    'cv2': 'pip install opencv-python',
    'decord': 'pip install finsta[video]',
    'dgl': "pip install 'dgl>=1.1.3,<2' (finsta[graph])",
    'matplotlib': 'pip install finsta[vis]',
    'motmetrics': 'pip install finsta[video]',
    'networkx': 'pip install finsta[vis]',
    'peft': 'pip install finsta[runtime]',
    'pyarrow': 'pip install pyarrow (finsta[runtime])',
    'spacy': 'pip install finsta[text]',
    'transformers': "pip install 'transformers>=4.50,<6' (finsta[runtime])",
}


def require(name: str, why: str) -> ModuleType:
    """Import an optional module or say in one sentence how to get it.

    Args:
        name: module to import, e.g. ``'decord'``.
        why: what the caller wanted to do, for the message.

    Raises:
        ImportError: naming the package, the purpose and the install command.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        root = name.split('.')[0]
        hint = _INSTALL.get(root, f'pip install {root}')
        raise ImportError(f'{why} needs the package "{root}", which could not be imported '
                          f'({error}). Install it with: {hint}') from error
