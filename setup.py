"""The package, and beside it what a wheel needs to run the tools: configs and tools.

``configs``, ``tools``, ``demo`` and ``model-index.yml`` lie at the top of a checkout; a built
package holds copies of them in ``finsta/.mim``, where ``finsta.engine.launch.find_config`` and
``finsta.apis`` look as well.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
EXTRAS = ('runtime', 'graph', 'video', 'text', 'vis')   # what `all` is made of
COPIED = ('configs', 'tools', 'demo', 'model-index.yml')


class BuildWithConfigs(build_py):
    """``build_py`` that puts the copies of ``COPIED`` into the built package."""

    def run(self) -> None:
        super().run()
        if getattr(self, 'editable_mode', False):
            return    # a development install uses the checkout's own files
        target = Path(self.build_lib) / 'finsta' / '.mim'
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
            elif source.is_file():
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / name)


def requirements(name: str) -> list[str]:
    """Lines of a requirements file, those of the files that it includes too."""
    found = []
    for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
        line = line.split('#')[0].strip()
        if line.startswith('-r '):
            found += requirements(Path(line[3:]).stem)
        elif line:
            found.append(line)
    return found


def version() -> str:
    """``__version__`` without importing the package."""
    text = (ROOT / 'finsta' / 'version.py').read_text()
    return re.search(r"__version__ = '([^']+)'", text).group(1)


extras = {name: requirements(name) for name in (*EXTRAS, 'tests', 'docs')}
extras['all'] = sorted({line for name in EXTRAS for line in extras[name]})

setup(
    name='finsta',
    version=version(),
    description='Fine-grained structural spatio-temporal alignment for video-language models',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE', 'NOTICE'],
    # the pinned versions of numpy and others need 3.11, and dgl 1.1 has no wheel for 3.12
    python_requires='>=3.11,<3.12',
    packages=find_packages(include=['finsta', 'finsta.*']),
    # every file beside the modules is shipped: the text parser's model (whose files have no
    # endings), word lists, tokenisers, the tiny backbones' weights
    package_data={'finsta': ['**/*']},
    exclude_package_data={'finsta': ['**/__pycache__/*', '**/*.pyc', '.mim/**/*']},
    include_package_data=False,
    # import finsta needs these; the rest is in the extras
    install_requires=['torch>=2.4', 'mmengine>=0.10.7,<1', 'numpy>=1.26', 'setuptools>=68,<82'],
    extras_require=extras,
    cmdclass={'build_py': BuildWithConfigs},
    zip_safe=False,
    classifiers=['Programming Language :: Python :: 3', 'Programming Language :: Python :: 3.11',
                 'Intended Audience :: Science/Research', 'Operating System :: OS Independent'],
)
