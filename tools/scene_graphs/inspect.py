"""Look into a graph store.

examples:
  python tools/scene_graphs/inspect.py data/msvd/graphs --stats
  python tools/scene_graphs/inspect.py data/msvd/graphs --key "a man is riding a horse"
  python tools/scene_graphs/inspect.py data/msvd/graphs --key mv89psg6zh4_33_46 --html graph.html
  python tools/scene_graphs/inspect.py data/msvd/graphs --failures
  python tools/scene_graphs/inspect.py data/msvd/graphs --verify      # reads every row
"""

import sys


def give_standard_library() -> None:
    """Put the standard library's ``inspect`` where this file was found instead.

    The folder of a running script comes first on Python's path, so beside the other tools of this
    folder "import inspect" (dataclasses, torch, ...) finds this file.
    """
    import importlib.util
    import sysconfig
    from pathlib import Path
    file = Path(sysconfig.get_path('stdlib')) / 'inspect.py'
    spec = importlib.util.spec_from_file_location('inspect', file)
    module = importlib.util.module_from_spec(spec)
    sys.modules['inspect'] = module
    spec.loader.exec_module(module)


def parse_args(argv=None):
    import argparse

    from finsta.utils.arguments import positive
    from finsta.utils.errors import add_debug_argument
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0], epilog=__doc__.split('\n\n', 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('store', help='folder of the store')
    parser.add_argument('--key', nargs='+', default=[], metavar='KEY',
                        help='texts or video ids to show')
    parser.add_argument('--video-id', metavar='ID',
                        help='the video whose graph of the text is meant')
    parser.add_argument('--stats', action='store_true',
                        help='numbers over all graphs (the default without --key)')
    parser.add_argument('--failures', action='store_true',
                        help='what could not be parsed, and why')
    parser.add_argument('--verify', action='store_true',
                        help='decode every row; exit status 1 if something is wrong')
    parser.add_argument('--html', metavar='PAGE', help='write drawings and numbers as one page')
    parser.add_argument('--json', metavar='FILE', help='write what is shown as JSON')
    parser.add_argument('--limit', type=positive, default=20, metavar='N',
                        help='labels listed, and graphs drawn without --key (default: 20)')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def statistics(store, limit):
    """Counts of graphs, nodes by kind, frequent labels, parsers."""
    from collections import Counter
    out = {}
    for table, keys, get in (
            ('texts', list(store.text_keys()), lambda k: store.get_text(k[1], k[0])),
            ('videos', list(store.video_keys()), store.get_video)):
        kinds, labels, parsers, empty, frames = Counter(), Counter(), Counter(), 0, 0
        for key in keys:
            graph = get(key)
            parts = [graph] if table == 'texts' else graph.frames
            frames += len(parts)
            kinds.update(n.kind for g in parts for n in g.nodes)
            labels.update((n.kind, n.label) for g in parts for n in g.nodes)
            parsers[graph.parser or '(unknown)'] += 1
            empty += not any(g.nodes for g in parts)
        out[table] = {
            'graphs': len(keys), 'empty': empty, 'parsers': dict(parsers), 'nodes': dict(kinds),
            'nodes_per_graph': round(sum(kinds.values()) / max(len(keys), 1), 2),
            'made by': store.makers(table[:-1]),
            'labels': {kind: [[name, n] for (k, name), n in labels.most_common() if k == kind
                              ][:limit] for kind in kinds}}
        if table == 'videos':
            out[table]['key_frames'] = frames
        if (unfinished := store.unfinished(table[:-1])) is not None:
            out[table]['unfinished'] = str(unfinished)
    return out


def find(store, key, video_id):
    """(kind, graph) of a key, a video before a text; raises ValueError."""
    graph = store.get_video(key)
    if graph is not None:
        return 'video', graph
    graph = store.get_text(key, video_id)
    if graph is None and video_id is None:
        owners = [v for v, text in store.text_keys() if text == key]
        if owners:
            raise ValueError(f'{key!r} is stored for single videos: name one by --video-id, e.g. '
                             f'{owners[0]}')
    if graph is None:
        raise ValueError(f'no text and no video {key!r} in {store.root}')
    return 'text', graph


def triples(graph):
    """Lines "subject - predicate (adverbs) - object" and "object: attributes" of a graph."""
    def named(i):
        return '' if i is None else graph.nodes[i].label
    for s, p, o in graph.triples():
        adverbs = [graph.nodes[a].label for a in graph.targets(p, 'predicate_attribute')]
        yield f'{named(s)} - {named(p)}{" (" + ", ".join(adverbs) + ")" if adverbs else ""}' + (
            f' - {named(o)}' if o is not None else '')
    for i in graph.of_kind('object'):
        attributes = [graph.nodes[a].label for a in graph.targets(i, 'attribute')]
        yield f'{named(i)}: {", ".join(attributes) or "-"}'


def show(kind, key, graph):
    """Print one graph."""
    print(f'{kind} {key!r}  [{graph.parser or "parser unknown"}]')
    if kind == 'text':
        print('\n'.join(f'  {line}' for line in triples(graph)))
        return
    for t, (seconds, frame) in enumerate(zip(graph.times, graph.frames, strict=True)):
        print(f'  key frame {t} at {seconds:.2f} s')
        print('\n'.join(f'    {line}' for line in triples(frame)))


def draw(args, store, shown, stats):
    """The page of --html."""
    from finsta.visualization import HtmlPage
    page = HtmlPage('Graph store', str(store.root))
    if stats:
        for table, numbers in stats.items():
            page.add_heading(table)
            page.add_facts({k: v for k, v in numbers.items() if k != 'labels'})
            for kind, rows in numbers['labels'].items():
                page.add_table([f'{kind} label', 'nodes'], rows)
    if args.failures:
        page.add_table(['kind', 'key', 'reason'], store.failures, 'not parsed')
    for kind, key, graph in shown:
        if kind == 'text':
            page.add_scene_graph(graph, key)
        else:
            page.add_video_panel(None, graph, title=key)
    print(f'{page.save(args.html)} written')


def main(argv=None):
    import json
    from itertools import islice

    from finsta.parsing.store import GraphStore
    from finsta.utils.errors import errors_in_sentences
    args = parse_args(argv)
    with errors_in_sentences(args.debug):
        store = GraphStore(args.store)
        wrong = store.verify() if args.verify else {}
        found = [find(store, key, args.video_id) for key in args.key]
        shown = [(kind, key, graph)
                 for key, (kind, graph) in zip(args.key, found, strict=True)]
        for kind, key, graph in shown:
            show(kind, key, graph)
        stats = None
        if args.stats or not (args.key or args.failures or args.verify):
            stats = statistics(store, args.limit)
            print(json.dumps(stats, indent=1, ensure_ascii=False))
        if args.failures:
            for failure in store.failures:
                print(f'{failure.kind} {failure.key!r}: {failure.reason}')
            print(f'{len(store.failures)} not parsed')
        for place, reason in wrong.items():
            print(f'WRONG {place}: {reason}')
        if args.verify:
            print(f'{store.num_texts} texts and {store.num_videos} videos read, {len(wrong)} '
                  'things wrong')
        if args.html:
            if not shown:
                shown = [('video', key, store.get_video(key))
                         for key in islice(store.video_keys(), args.limit)]
                shown += [('text', text, store.get_text(text, video))
                          for video, text in islice(store.text_keys(), args.limit)]
            draw(args, store, shown, stats)
        if args.json:
            with open(args.json, 'w', encoding='utf-8') as file:
                json.dump({'stats': stats, 'wrong': wrong, 'failures': store.failures,
                           'graphs': {key: g.to_dict() for _, key, g in shown}}, file, indent=1)
    return 1 if wrong else 0


if __name__ == 'inspect':
    give_standard_library()
elif __name__ == '__main__':
    sys.exit(main())
