"""Every command answers a mistake in a sentence and with exit code 2; --debug shows where."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
import torch

from finsta.datasets.transforms.video import VideoError
from tests.utils.programs import run_program

REPO = Path(__file__).resolve().parents[2]
NOWHERE = 'no/such/path'
CONFIG = 'configs/synthvl/videoqa_msvd.py'
# command -> arguments with a path that is absent; None: it takes no path that has to be there
MISSING = {
    'demo/own_video.py': [NOWHERE, 'a dog runs'],
    'tools/analysis/analyze_logs.py': ['table', NOWHERE],
    'tools/analysis/benchmark_features.py': None,
    'tools/analysis/benchmark_graph.py': None,
    'tools/analysis/benchmark_reader.py': ['--videos', NOWHERE],
    'tools/analysis/benchmark_stgt.py': None,
    'tools/analysis/benchmark_store.py': None,
    'tools/analysis/eval_text_parser.py': ['--gold', NOWHERE],
    'tools/analysis/eval_video_parser.py': ['--data', NOWHERE],
    'tools/analysis/get_flops.py': [NOWHERE],
    'tools/analysis/make_tables.py': ['--root', NOWHERE],
    'tools/analysis/probe_pairs.py': ['--backbone', NOWHERE],
    'tools/analysis/probe_synthvl.py': ['--data', NOWHERE],
    'tools/analysis/show_neighbours.py': ['--ann', NOWHERE, '--store', 'out'],
    'tools/analysis/study.py': ['--collect', '--root', NOWHERE],
    'tools/convert/alpro_to_finsta.py': [NOWHERE, 'out'],
    'tools/convert/build_tiny_tokenizer.py': ['--words', NOWHERE, '--out', 'out'],
    'tools/convert/clip_to_finsta.py': [NOWHERE, 'out'],
    'tools/convert/merge_lora.py': [NOWHERE, 'out'],
    'tools/convert/stgt_to_finsta.py': [NOWHERE, 'out'],
    'tools/datasets/make_synthvl.py': None,
    'tools/datasets/msrvtt/check.py': [NOWHERE],
    'tools/datasets/msrvtt_qa/check.py': [NOWHERE],
    'tools/datasets/msvd/check.py': [NOWHERE],
    'tools/datasets/msvd/convert.py': [NOWHERE],
    'tools/datasets/msvd_qa/check.py': [NOWHERE],
    'tools/datasets/msvd_qa/convert.py': [NOWHERE, 'out.json'],
    'tools/datasets/webvid/check.py': [NOWHERE],
    'tools/misc/cache_features.py': [NOWHERE],
    'tools/misc/import_all.py': None,
    'tools/misc/print_config.py': [NOWHERE],
    'tools/quickstart.py': None,
    'tools/scene_graphs/inspect.py': [NOWHERE],
    'tools/scene_graphs/learn_conventions.py': ['--gold', NOWHERE],
    'tools/scene_graphs/make_caption_trees.py': ['--gold', NOWHERE, '--pipeline', 'builtin',
                                                 '--out', 'out'],
    'tools/scene_graphs/parse_text.py': ['--texts', NOWHERE, '--out', 'out'],
    'tools/scene_graphs/parse_video.py': ['--videos', NOWHERE, '--out', 'out'],
    'tools/scene_graphs/train_text_parser.py': ['--treebank', NOWHERE, '--out', 'out'],
    'tools/test.py': [NOWHERE],
    'tools/train.py': [NOWHERE],
}


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """``call(command, *args)`` runs a command's main() here: exit code, what it wrote to stderr.

    Logs of mmengine go to stderr or stdout as they like; nothing is asked of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(REPO / 'tools' / 'scene_graphs'))

    def run(command, *args):
        spec = importlib.util.spec_from_file_location('a_tool', REPO / command)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setattr(sys, 'argv', [command, *map(str, args)])
        try:
            spec.loader.exec_module(module)
            if hasattr(module, 'main'):
                code = module.main()
            else:   # a few lines under __main__
                code = module.check_command(*[vars(module)[n] for n in vars(module) if n in (
                    'MSVD', 'MSVDQA', 'MSRVTT', 'MSRVTTQA', 'WebVid')], 'data', module.PUBLISHED,
                                            module.__doc__)
        except SystemExit as end:
            code = end.code
        finally:
            os.chdir(tmp_path)
            sys.modules.pop('motion_grammar', None)
        return code or 0, capsys.readouterr().err
    before = sys.modules['inspect']
    yield run
    assert sys.modules['inspect'] is before


def test_every_command_is_in_the_list():
    found = {path.relative_to(REPO).as_posix() for folder in ('tools', 'demo')
             for path in (REPO / folder).rglob('*.py')
             if "__name__ == '__main__'" in path.read_text(encoding='utf-8')}
    assert found == set(MISSING)


@pytest.mark.parametrize('command', [name for name, args in MISSING.items() if args])
def test_a_missing_path_ends_in_a_sentence(call, command):
    code, err = call(command, *MISSING[command])
    assert code == 2, err
    assert 'Traceback' not in err and '--debug' in err and NOWHERE in err
    assert err.lstrip().startswith('error: ') or '\nerror: ' in err
    assert not Path('out').exists()


@pytest.mark.parametrize('command', [name for name, args in MISSING.items() if args])
def test_debug_shows_where(call, command):
    with pytest.raises((OSError, ValueError, VideoError)):
        call(command, *MISSING[command], '--debug')


@pytest.mark.parametrize(('command', 'args'), [
    ('tools/analysis/benchmark_features.py', ['--repeats', '0']),
    ('tools/analysis/benchmark_graph.py', ['--threads', '0']),
    ('tools/analysis/benchmark_stgt.py', ['--steps', '-1']),
    ('tools/analysis/benchmark_store.py', ['--rows', '0']),
    ('tools/analysis/study.py', ['--jobs', '0']),
    ('tools/quickstart.py', ['--scale', '0']),
    ('tools/quickstart.py', ['--jobs', '0']),
    ('tools/misc/cache_features.py', [CONFIG, '--batch', '0']),
    ('tools/misc/print_config.py', [CONFIG, '--cfg-options', 'model.head']),
    ('tools/train.py', [CONFIG, '--cfg-options', 'work_dir']),
    ('tools/test.py', [CONFIG, '--cfg-options', '=1']),
])
def test_values_that_cannot_be_are_usage_errors(call, command, args):
    code, err = call(command, *args)
    assert code == 2 and 'Traceback' not in err and err.startswith('usage: ')
    assert args[-2] in err and ('must be' in err or 'is no KEY=VALUE' in err)


@pytest.mark.parametrize(('command', 'args', 'message'), [
    ('tools/convert/alpro_to_finsta.py', ['text.pt', 'out'], 'text.pt is not a checkpoint'),
    ('tools/convert/clip_to_finsta.py', ['odd.pt', 'out'], 'this is no checkpoint of CLIP'),
    ('tools/convert/stgt_to_finsta.py', ['.', 'out'], 'no checkpoint at .'),
    ('tools/convert/stgt_to_finsta.py', ['odd.pt', 'full'], 'full holds something already; give'),
    ('tools/convert/alpro_to_finsta.py', ['odd.pt', 'text.pt'], 'text.pt is a file, where'),
    ('tools/convert/build_tiny_tokenizer.py', ['--words', 'latin.txt', '--out', 'out'],
     'latin.txt: a word list must be UTF-8'),
    ('tools/convert/build_tiny_tokenizer.py', ['--words', 'empty.txt', '--out', 'out'],
     'empty word list'),
    ('tools/analysis/eval_text_parser.py', ['--gold', 'latin.txt'], 'latin.txt: is not UTF-8'),
    ('tools/analysis/eval_text_parser.py', ['--gold', 'gold.csv', '--rows', '5'],
     "--rows '5' is no slice"),
    ('tools/analysis/eval_text_parser.py', ['--gold', 'gold.csv', '--parser-config', '{'],
     'is no JSON'),
    ('tools/analysis/eval_text_parser.py', ['--gold', 'gold.csv', '--parser-config',
                                            '{"type": "MotionVideoParser"}'],
     'is a video parser; text parsers are'),
    ('tools/analysis/eval_video_parser.py', ['--data', 'full'], 'videos.jsonl.gz'),
    ('tools/analysis/eval_video_parser.py', ['--data', 'full', '--parser', 'NoParser'],
     'no parser NoParser; video parsers are'),
    ('tools/analysis/study.py', ['--backbone', 'none'], "--backbone 'none': no saved backbone"),
    ('tools/datasets/make_synthvl.py', ['--out', 'out', '--num-train', '-1'], 'not be negative'),
    ('tools/datasets/make_synthvl.py', ['--out', 'text.pt', '--size', 'tiny'], 'text.pt'),
    ('tools/datasets/msvd/check.py', ['text.pt'], 'text.pt is no folder'),
    ('tools/datasets/msvd_qa/convert.py', ['latin.txt', 'out.json'], 'latin.txt: is not UTF-8'),
    ('tools/scene_graphs/learn_conventions.py', ['--gold', 'gold.csv'],
     'gold.csv has no row in --rows 2000 40000'),
    ('tools/scene_graphs/make_caption_trees.py',
     ['--gold', 'gold.csv', '--rows', '0', '1', '--pipeline', 'none', '--out', 'out'],
     "spaCy finds no pipeline 'none'"),
    ('tools/scene_graphs/train_text_parser.py', ['--treebank', 'full', '--out', 'out'],
     'en_ewt-ud-train.conllu:1: 1 columns'),
    ('tools/misc/print_config.py', ['full'], 'there is no config full'),
    ('tools/analysis/analyze_logs.py', ['table', 'full'], 'full/scalars.json, line 1'),
])
def test_files_and_values_of_the_wrong_kind(call, command, args, message):
    torch.save({'a': torch.ones(2)}, 'odd.pt')
    Path('text.pt').write_text('no weights')
    Path('latin.txt').write_bytes('Mädchen\n'.encode('latin-1'))
    Path('empty.txt').write_text('')
    Path('gold.csv').write_text('caption,scene_graph\na man,( man )\n')
    Path('full').mkdir()
    for split in ('train', 'dev'):
        Path(f'full/en_ewt-ud-{split}.conllu').write_text('no columns\n')
    Path('full/scalars.json').write_text('{"step":\n{"step": 1}\n')
    code, err = call(command, *args)
    assert code == 2, err
    assert message in err and 'Traceback' not in err
    assert not Path('out/model.safetensors').exists()


@pytest.mark.parametrize('what', ['alpro', 'clip', 'stgt'])
def test_a_checkpoint_that_is_not_whole_names_the_key(call, what):
    """The first keys that are asked for are there, a later one is not."""
    first = {'alpro': {'visual_encoder.model.patch_embed.proj.weight': (8, 3, 4, 4)},
             'clip': {'visual.conv1.weight': (8, 3, 4, 4)},
             'stgt': {'visual_encoder.patch_embed.proj.weight': (8, 3, 4, 4)}}[what]
    torch.save({k: torch.ones(shape) for k, shape in first.items()}, 'part.pt')
    code, err = call(f'tools/convert/{what}_to_finsta.py', 'part.pt', 'out', '--tokenizer', 'tiny')
    assert code == 2 and 'it has no key' in err and 'Traceback' not in err


def test_json_into_a_folder_that_is_not_there(call):
    Path('mine.txt').write_text('a dog runs\n')
    code, err = call('tools/scene_graphs/parse_text.py', '--texts', 'mine.txt', '--out', 'store',
                     '--workers', '0', '--quiet', '--json', 'new/folder/sum.json')
    assert code == 0, err
    assert json.loads(Path('new/folder/sum.json').read_text())['parsed'] == 1


@pytest.mark.parametrize('command', ['tools/scene_graphs/inspect.py', 'tools/train.py'])
def test_the_same_as_a_program(tmp_path, command):
    """Above, the tool's own file is known by its frame; here it is __main__."""
    done = run_program(REPO / command, NOWHERE, cwd=tmp_path,
                       env={**os.environ, 'PYTHONPATH': str(REPO)})
    assert done.returncode == 2, done.stderr
    assert NOWHERE in done.stderr and 'Traceback' not in done.stderr
