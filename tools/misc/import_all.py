"""Import every module of the installed package and check that the shipped files are there.

``python tools/misc/import_all.py``: exit code 1 and a list of what failed.
"""

import importlib
import pkgutil
import sys
import traceback
from pathlib import Path

import finsta


def main() -> int:
    failed = []
    names = [module.name for module in pkgutil.walk_packages(finsta.__path__, 'finsta.',
                                                             onerror=failed.append)]
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            failed.append(name)
            traceback.print_exc()
    package = Path(finsta.__file__).parent
    roots = [root for root in (package.parent, package / '.mim')
             if (root / 'configs' / '_base_' / 'default_runtime.py').is_file()]
    if not roots:
        failed.append('configs (neither beside the package nor in finsta/.mim)')
    print(f'{len(names)} modules of {package}, configs in {roots[0] if roots else "none"}, '
          f'{len(failed)} failures')
    for name in failed:
        print(f'failed: {name}')
    return int(bool(failed))


if __name__ == '__main__':
    sys.exit(main())
