"""Writes a twin of a real data set: videos, annotations, gold graphs, minimal pairs.

Work is cut into chunks that do not depend on each other; a worker writes a chunk's videos, then
its records aside, then renames them. A killed run finds which chunks are whole and does the rest;
the finished files are the concatenation of chunks in order, so they have the same bytes as those
of a run that was not killed.
"""

import gzip
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from finsta.synthvl.difficulty import make_difficulty
from finsta.synthvl.gold import Facts, dynamic_graph
from finsta.synthvl.language import describe
from finsta.synthvl.layouts import LAYOUTS
from finsta.synthvl.minimal_pairs import FACTORS, make_pair
from finsta.synthvl.questions import Question, ask
from finsta.synthvl.render import render
from finsta.synthvl.scene import VERSION, Scene
from finsta.synthvl.video_files import write_video
from finsta.synthvl.world import make_scene
from finsta.utils.processes import end_with_parent, end_without_parent

# videos of train, val and test, and minimal pairs of each factor
SIZES = {'tiny': (24, 8, 8, 2), 'small': (1500, 150, 300, 32), 'pretrain': (6000, 0, 0, 0),
         'posttrain': (6000, 0, 0, 0)}
# options of the world that belong to a size
SIZE_DIFFICULTY: dict[str, dict[str, Any]] = {'posttrain': {'staged': 0.8, 'twins': True}}
# first scene number of each split; splits never share a scene of one seed
FIRST = {'train': 0, 'val': 1_000_000, 'test': 2_000_000, 'pretrain': 5_000_000,
         'posttrain': 6_000_000}
PARTS = '.parts'


@dataclass(frozen=True)
class Plan:
    """What to write; equal plans give equal bytes.

    Attributes:
        layout: a key of ``LAYOUTS``. size: a key of ``SIZES``; seed: of the world.
        counts: videos of train, val, test; pairs: minimal pairs of each factor.
        captions: least and most captions of a video; questions: most questions of a video.
        difficulty: options of ``make_scene``; test_difficulty: further ones for val and test
            (a held-out split).
        chunk: videos of one unit of work.
    """

    layout: str = 'msvd'
    size: str = 'small'
    seed: int = 0
    counts: tuple[int, int, int] = (1500, 150, 300)
    pairs: int = 32
    captions: tuple[int, int] = (3, 5)
    questions: int = 5
    difficulty: dict[str, Any] = field(default_factory=dict)
    test_difficulty: dict[str, Any] = field(default_factory=dict)
    chunk: int = 16

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f'layout={self.layout!r} is none of {sorted(LAYOUTS)}')
        if self.size not in SIZES:
            raise ValueError(f'size={self.size!r} is none of {sorted(SIZES)}')
        if min(*self.counts, self.pairs) < 0 or not sum(self.counts):
            raise ValueError(f'counts={self.counts}, pairs={self.pairs}: must not be negative, '
                             'and there must be a video')
        make_difficulty(self.difficulty)
        make_difficulty({**self.difficulty, **self.test_difficulty})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with the world's version."""
        return json.loads(json.dumps({'version': VERSION, **asdict(self)}))


def _jobs(plan: Plan) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    for split, count in zip(('train', 'val', 'test'), plan.counts, strict=True):
        first = FIRST[plan.size if plan.size in FIRST else split]
        jobs += [{'split': split, 'index': first + i} for i in range(count)]
    for f in FACTORS if plan.pairs else ():
        jobs += [{'split': 'pairs', 'factor': f, 'index': i} for i in range(plan.pairs)]
    number = 1
    for job in jobs:
        job['number'] = number
        number += 2 if job['split'] == 'pairs' else 1
    return jobs


def generate(plan: Plan, out: Path, workers: int = 1, progress: bool = True) -> dict[str, Any]:
    """Write the whole data set; resumes, and does nothing when it is complete.

    Returns:
        The content of ``synthvl.json``: plan, counts of videos, captions, questions and pairs.

    Raises:
        FileExistsError: if ``out`` holds a data set of another plan.
    """
    out = Path(out)
    done = out / 'synthvl.json'
    if done.exists():
        summary = json.loads(done.read_text())
        _same_plan(summary['plan'], plan, out)
        return summary
    parts = out / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    started = parts / 'plan.json'
    if started.exists():
        _same_plan(json.loads(started.read_text()), plan, out)
    else:
        _write_aside(started, json.dumps(plan.to_dict()).encode())
    jobs = _jobs(plan)
    chunks = [jobs[i:i + plan.chunk] for i in range(0, len(jobs), plan.chunk)]
    todo = [(k, c, plan, out) for k, c in enumerate(chunks)
            if not (parts / f'{k:05d}.json').exists()]
    _run(todo, sum(map(len, chunks)), workers, progress)
    records = [r for k in range(len(chunks))
               for r in json.loads((parts / f'{k:05d}.json').read_text())]
    summary = _finish(plan, out, parts, len(chunks), records)
    _write_aside(done, (json.dumps(summary, indent=1) + '\n').encode())
    shutil.rmtree(parts)
    return summary


def _same_plan(found: dict[str, Any], plan: Plan, out: Path) -> None:
    wanted = plan.to_dict()
    for key in wanted:
        if found.get(key) != wanted[key]:
            raise FileExistsError(
                f'{out} holds a data set with {key}={found.get(key)!r}, not {wanted[key]!r}: '
                'give another --out, or delete that folder')


def _run(todo: list[tuple], total: int, workers: int, progress: bool) -> None:
    from tqdm import tqdm
    left = sum(len(t[1]) for t in todo)
    with tqdm(total=total, initial=total - left, unit='clip', disable=not progress,
              desc='SynthVL') as bar:
        if workers <= 1 or len(todo) <= 1:
            for task in todo:
                bar.update(_write_chunk(task))
            return
        # spawn: the caller may hold threads (torch, OpenCV) that a fork would break
        with multiprocessing.get_context('spawn').Pool(workers, _start_worker) as pool:
            for count in pool.imap_unordered(_write_chunk, todo):
                bar.update(count)


def _start_worker() -> None:
    import cv2
    end_with_parent()
    cv2.setNumThreads(1)


def _write_chunk(task: tuple) -> int:
    number, jobs, plan, out = task
    records: list[dict[str, Any]] = []
    videos: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    for job in jobs:
        end_without_parent()
        for record, video, rows in _make(job, plan, out):
            records.append(record)
            videos.append(video)
            texts += rows
    parts = out / PARTS
    _write_aside(parts / f'{number:05d}.videos.gz', _pack(videos))
    _write_aside(parts / f'{number:05d}.texts.gz', _pack(texts))
    # last: its presence means that the chunk is whole
    _write_aside(parts / f'{number:05d}.json', json.dumps(records).encode())
    return len(jobs)


def _make(job: dict[str, Any], plan: Plan, out: Path) -> Iterator[tuple]:
    if job['split'] == 'pairs':
        yield from _make_pair(job, plan, out)
        return
    scene, facts, captions, questions = _write_texts(job, plan)
    record = _video(job['number'], job['split'], scene, facts, plan, out)
    layout = LAYOUTS[plan.layout]
    graphs: dict[str, Any] = {}
    for text, graph in captions.items():
        graphs |= {t: graph for t in layout.caption_forms(text)}
    for q in questions:
        graphs |= {t: q.tsg for t in layout.question_forms(q.text)}
    record[0]['captions'] = [layout.caption_forms(t)[0] for t in captions]
    record[0]['questions'] = [_question(q, layout.question_forms(q.text)[0]) for q in questions]
    yield *record, [{'video_id': record[0]['video_id'], 'text': t,
                     'tsg': g.to_dict() | {'text': t}} for t, g in graphs.items()]


def _write_texts(job: dict[str, Any], plan: Plan
                 ) -> tuple[Scene, Facts, dict[str, Any], list[Question]]:
    """Scene of a job that is no pair, its captions (text -> gold graph) and its questions."""
    options = dict(plan.difficulty)
    if job['split'] != 'train':
        options |= plan.test_difficulty
    scene = make_scene(plan.seed, job['index'], **options)
    rng = np.random.default_rng([VERSION, plan.seed, job['index'], 1])
    facts = Facts(scene)
    captions: dict[str, Any] = {}
    wanted = int(rng.integers(plan.captions[0], plan.captions[1] + 1))
    for _ in range(8 * wanted):
        if len(captions) < wanted:
            text, graph = describe(scene, rng, facts)
            captions.setdefault(text, graph)
    questions = [q for q in ask(scene, rng, facts)
                 if q.open_ended and LAYOUTS[plan.layout].question_forms(q.text)]
    if len(questions) > plan.questions:
        keep = sorted(rng.choice(len(questions), plan.questions, replace=False))
        questions = [questions[i] for i in keep]
    return scene, facts, captions, questions


def planned_questions(plan: Plan, split: str) -> list[Question]:
    """The questions that the data set of a plan holds of a split, in the order of its files, with
    what the files leave out: kind, choices and graph. No video is drawn."""
    return [q for job in _jobs(plan) if job['split'] == split for q in _write_texts(job, plan)[3]]


def _make_pair(job: dict[str, Any], plan: Plan, out: Path) -> Iterator[tuple]:
    pair = make_pair(job['factor'], plan.seed, job['index'], canvas=plan.difficulty.get(
        'canvas', 96), fps=plan.difficulty.get('fps', 8))
    for k in range(2):
        scene = pair.scenes[k]
        record = _video(job['number'] + k, 'pairs', scene, Facts(scene), plan, out)
        record[0].update(captions=[pair.captions[k]], questions=[], factor=pair.factor,
                         pair_id=f'{pair.factor}_{job["index"]:04d}')
        yield *record, [{'video_id': record[0]['video_id'], 'text': pair.captions[k],
                         'tsg': pair.graphs[k].to_dict()}]


def _question(q: Question, text: str) -> dict[str, Any]:
    return {'question': text, 'answer': q.answer, 'kind': q.kind, 'choices': list(q.choices),
            'correct': q.correct}


def _video(number: int, split: str, scene: Scene, facts: Facts, plan: Plan, out: Path
           ) -> tuple[dict[str, Any], dict[str, Any]]:
    layout = LAYOUTS[plan.layout]
    seconds = -(-scene.num_frames // scene.fps)
    video_id = layout.video_id(number, seconds)
    path = out / layout.video_file(video_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, render(scene), scene.fps)
    record = {'split': split, 'number': number, 'video_id': video_id, 'index': scene.index,
              'seconds': scene.num_frames / scene.fps, 'size': [scene.canvas, scene.canvas]}
    return record, {'video_id': video_id, 'background': scene.background_kind,
                    'dsg': dynamic_graph(scene, facts).to_dict() | {'video': video_id}}


def _finish(plan: Plan, out: Path, parts: Path, chunks: int, records: list[dict[str, Any]]
            ) -> dict[str, Any]:
    (out / 'gold').mkdir(exist_ok=True)
    for name in ('videos', 'texts'):
        aside = out / 'gold' / f'.{name}.part'
        with aside.open('wb') as file:
            for k in range(chunks):
                file.write((parts / f'{k:05d}.{name}.gz').read_bytes())
        os.replace(aside, out / 'gold' / f'{name}.jsonl.gz')
    LAYOUTS[plan.layout].write(out, [r for r in records if r['split'] != 'pairs'])
    paired = [r for r in records if r['split'] == 'pairs']
    pairs = [{'pair_id': a['pair_id'], 'factor': a['factor'],
              'videos': [a['video_id'], b['video_id']],
              'captions': [a['captions'][0], b['captions'][0]]}
             for a, b in zip(paired[0::2], paired[1::2], strict=True)]
    _write_aside(out / 'minimal_pairs.json', (json.dumps(pairs, indent=1) + '\n').encode())
    return {'plan': plan.to_dict(), 'videos': len(records) - len(paired),
            'captions': sum(len(r['captions']) for r in records if r['split'] != 'pairs'),
            'questions': sum(len(r['questions']) for r in records), 'minimal_pairs': len(pairs),
            'splits': dict(zip(('train', 'val', 'test'), plan.counts, strict=True))}


def _pack(rows: list[dict[str, Any]]) -> bytes:
    """JSON lines as one gzip member without a time stamp; members may be concatenated."""
    text = ''.join(json.dumps(r, separators=(',', ':')) + '\n' for r in rows)
    return gzip.compress(text.encode(), 5, mtime=0)


def _write_aside(path: Path, content: bytes) -> None:
    aside = path.with_name(path.name + '.part')
    aside.write_bytes(content)
    os.replace(aside, path)
