"""Pages: links lead somewhere, named tools and configs exist, tables are current."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

REPO = Path(__file__).resolve().parents[1]
FOLDERS = ('docs', 'configs', 'tools', 'demo', 'finsta', 'requirements', '.github')
PAGES = sorted([*REPO.glob('*.md'), *(p for f in FOLDERS for p in (REPO / f).rglob('*.md'))])
LINK = re.compile(r'\]\(([^)\s]+)\)')
NAMED = re.compile(r'(?<![\w./-])((?:tools|demo|configs)/[\w./-]+\.(?:py|sh|yml))\b')
OPTION = re.compile(r'(?<=\s)--[a-z][a-z-]+')
CALL = re.compile(r'python ((?:tools|demo)/[\w./-]+\.py)((?:[^\n`#]|\\\n)*)')


def ids(paths: list[Path]) -> list[str]:
    return [str(p.relative_to(REPO)) for p in paths]


def test_there_are_pages():
    assert REPO / 'README.md' in PAGES and len(PAGES) > 15


@pytest.mark.parametrize('page', PAGES, ids=ids(PAGES))
def test_relative_links_exist(page):
    targets = [t.split('#')[0] for t in LINK.findall(page.read_text(encoding='utf-8'))]
    broken = [t for t in targets if t and not re.match(r'[a-z]+:', t)
              and not (page.parent / t).exists()]
    assert not broken


@pytest.mark.parametrize('page', PAGES, ids=ids(PAGES))
def test_named_tools_and_configs_exist(page):
    named = set(NAMED.findall(page.read_text(encoding='utf-8')))
    assert not [n for n in sorted(named) if not (REPO / n).is_file()]


@pytest.mark.parametrize('page', PAGES, ids=ids(PAGES))
def test_options_of_shown_commands_are_the_tools_own(page):
    """Every ``--option`` of a shown command is written in the tool, or where it gets its flags."""
    shared = (REPO / 'finsta/engine/launch.py').read_text() \
        + (REPO / 'finsta/parsing/cli.py').read_text() \
        + (REPO / 'finsta/datasets/check.py').read_text()
    for tool, rest in CALL.findall(page.read_text(encoding='utf-8')):
        source = (REPO / tool).read_text() + shared
        unknown = [o for o in OPTION.findall(rest)
                   if not re.search(rf"'{o}'", source)]
        assert not unknown, f'python {tool}{rest}'


CONFIGS = sorted(p for p in (REPO / 'configs').rglob('*.py') if '_base_' not in p.parts)


@pytest.mark.parametrize('config', CONFIGS, ids=ids(CONFIGS))
def test_commands_of_config_headers_name_what_exists(config):
    """Tools, options, configs, and ``work_dirs/<config>/backbone`` as a start."""
    text = config.read_text(encoding='utf-8')
    test_named_tools_and_configs_exist(config)
    test_options_of_shown_commands_are_the_tools_own(config)
    names = {p.stem for p in CONFIGS}
    assert set(re.findall(r'work_dirs/([\w-]+)/backbone', text)) <= names


@pytest.mark.parametrize('twin', sorted((REPO / 'configs/synthvl').glob('*_m*_stgt.py')),
                         ids=lambda p: p.stem)
def test_stgt_begins_where_its_page_says(twin):
    """Every task of a twin begins with the second stage, as configs/stgt/README.md does."""
    assert 'load_from=work_dirs/pretrain_stage2/backbone' in (
        REPO / 'configs/stgt/README.md').read_text(encoding='utf-8')
    starts = re.findall(r'work_dirs/([\w-]+)/backbone', twin.read_text(encoding='utf-8'))
    assert set(starts) == {'pretrain_stgt_stage2'}


def test_the_site_has_every_page():
    """mkdocs itself (requirements/docs.txt) is not needed to run the tests."""
    config = yaml.safe_load((REPO / 'mkdocs.yml').read_text())
    assert all((REPO / hook).is_file() for hook in config['hooks'])
    named = [page for entry in config['nav']
             for page in ([entry] if isinstance(entry, str) else next(iter(entry.values())))]
    root = REPO / config['docs_dir']
    assert sorted(named) == sorted(p.relative_to(root).as_posix() for p in root.rglob('*.md'))


def test_links_out_of_the_site_become_paths():
    spec = importlib.util.spec_from_file_location('hooks', REPO / 'docs/mkdocs_hooks.py')
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = SimpleNamespace(file=SimpleNamespace(src_uri='design/a.md'))
    text = ('[b](../../../configs/b.py), [c](../results/c.md#d), [e](f.md), '
            '![g](../images/g.png), [h](https://h.org)')
    assert hooks.on_page_markdown(text, page) == text.replace(
        '[b](../../../configs/b.py)', 'b (`configs/b.py`)')


def test_tables_are_current():
    done = subprocess.run([sys.executable, 'tools/analysis/make_tables.py', '--check'], cwd=REPO,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_metafiles_name_every_config_once():
    index = yaml.safe_load((REPO / 'model-index.yml').read_text())['Import']
    models = [m for file in index for m in yaml.safe_load((REPO / file).read_text())['Models']]
    named = [m['Config'] for m in models]
    real = [p.relative_to(REPO).as_posix() for p in (REPO / 'configs').rglob('*.py')
            if '_base_' not in p.parts and not p.name.startswith('_')]
    assert sorted(named) == sorted(real)
    assert len({m['Name'] for m in models}) == len(models)
