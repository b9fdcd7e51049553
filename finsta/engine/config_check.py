"""Mistakes in a config, named before anything is built: where, what is known, what comes closest.

mmengine builds a component by calling its class with what the config says; a wrong key is then a
TypeError from deep inside, and an option that nobody reads is not an error at all.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.registry import Registry, root
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from finsta import registry as nodes

# what the Runner and the tools read at the top of a config; anything else there is a variable
# that the config file has used up by the time it is loaded
_RUNNER_KEYS = set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}
_TOP_KEYS = _RUNNER_KEYS | {
    'data_root', 'load_optional', 'find_unused_parameters', 'model_wrapper_cfg',
    'zero_shot_head', 'custom_imports', 'compile', 'sync_bn', 'activation_checkpointing',
    'efficient_conv_bn_eval', 'broadcast_buffers', 'detect_anomalous_params'}
_LOADER_KEYS = set(inspect.signature(DataLoader.__init__).parameters) - {'self'}
_LOADER_KEYS |= {'num_batch_per_epoch', 'type'}
# keys that whoever builds a component takes out before its class is called
_TAKEN_OUT = {'type', '_scope_', 'priority', 'constructor', 'paramwise_cfg',
              'convert_to_iter_based'}
_PLAIN = {'metainfo'}   # data of the user's, in which a type is no component's
_UNEXPECTED = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r"(\w+)(?:\.__init__)?\(\) missing \d+ required .*arguments?: (.*)")


# packages whose classes hand **kwargs to the class they inherit from
_TRACED = ('finsta', 'mmengine')


class ConfigError(ValueError):
    """A key or type in a config, or an option, that nothing reads; the message says where it
    stands and what comes closest."""


def merge_options(config: Config, options: dict) -> None:
    """``--cfg-options`` into a config, in place.

    Raises:
        ConfigError: an option whose first part is neither in the config nor known; one that sets
            a variable which the config file has used already (``max_iters``; the message names
            the places that hold its value); those that lead to a place which is not there, as
            behind the end of a list.
    """
    for option in options:
        if inner := next((o for o in options if o.startswith(f'{option}.')), None):
            raise ConfigError(f'--cfg-options {option} and {inner}: the first would replace what '
                              'the second changes; give one of them')
    for option, value in options.items():
        top = option.split('.', maxsplit=1)[0]
        if top in _TOP_KEYS:
            continue
        if top not in config:
            known = sorted(_TOP_KEYS & (set(config) | _RUNNER_KEYS))
            raise ConfigError(f'--cfg-options {option}: there is no {top} in the config'
                              f'{_closest(top, known)}')
        raise ConfigError(f'--cfg-options {option}: {top} is a variable of the config file, which '
                          'has used it by the time that an option is read, so that the option '
                          f'would change nothing{_holders(config, option, value)}')
    try:
        config.merge_from_dict(options)
    except (KeyError, TypeError, AttributeError) as error:
        faults = [f'--cfg-options {option}: {fault}' for option, value in options.items()
                  if (fault := _fault(config.to_dict(), option, value))]
        raise ConfigError('; '.join(faults) or f'--cfg-options {" ".join(options)}: {error}'
                          ) from error


def check_config(config: Config) -> None:
    """Whether every component's type is registered and takes the keys that it is given.

    Raises:
        ConfigError: for the first that does not.
    """
    for key in config:
        if key in _RUNNER_KEYS or key == 'zero_shot_head':
            _check(config[key], key)


@contextmanager
def config_mistakes_named(config: Config) -> Iterator[None]:
    """Around the building of a runner or model: where a class refuses what the config gives it,
    say at which key. Covers what :func:`check_config` cannot know: arguments of components that
    have no ``type``, and required ones that are absent.

    Raises:
        ConfigError: in the place of such a TypeError; any other passes.
    """
    try:
        yield
    except TypeError as error:
        if found := _UNEXPECTED.search(str(error)):
            places = [p for p, _ in _items(config) if p.split('.')[-1] == found[2]
                      and p.split('.')[0] in _TOP_KEYS]
            if places:
                raise ConfigError(f'{" or ".join(places)}: {found[1]} takes no {found[2]}'
                                  ) from error
        elif found := _MISSING.search(str(error)):
            places = [p.removesuffix('.type') for p, value in _items(config)
                      if p.endswith('.type') and value == found[1]]
            if places:
                raise ConfigError(f'{places[0]}: {found[1]} needs {found[2]} too') from error
        raise


def _check(value, path: str) -> None:
    if isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check(item, f'{path}.{i}')
    elif isinstance(value, dict):
        taken = None
        if path.split('.')[-1].endswith('_dataloader'):
            name, taken = 'a DataLoader', _LOADER_KEYS
        elif (kind := value.get('type')) is not None:
            name = kind if isinstance(kind, str) else kind.__name__
            kind = _find(kind, path) if isinstance(kind, str) else kind
            taken = None if kind is None else _arguments(kind)
        for key, item in value.items():
            if taken is not None and key not in taken:
                hint = _closest(key, taken - _TAKEN_OUT)
                # nothing like it: perhaps of the type that a child config or an option replaced
                if ('type' in value and 'did you mean' not in hint and '.' in path
                        and not path[-1].isdigit()):
                    hint += (f'; if it belongs to the type that {name} takes the place of, drop '
                             f'what that left: {path}._delete_=True')
                raise ConfigError(f'{path}.{key}: {name} takes no {key}{hint}')
            if key not in _PLAIN:
                _check(item, f'{path}.{key}')


def _find(full: str, path: str) -> Callable | None:
    """The class or function that is registered by this name in any node; None for the dotted path
    of one that is imported when it is built."""
    name = full.rpartition('.')[2]   # a scope stands before the dot
    known: list[str] = []
    for node in _nodes():
        node.import_from_location()
        if name in node.module_dict:
            return node.module_dict[name]
        known += node.module_dict
    if '.' in full:
        return None
    raise ConfigError(f'{path}.type: nothing is registered as {name}{_closest(name, known, 3)}; '
                      'a component of your own is registered by custom_imports='
                      "dict(imports=['its_module'])")


def _nodes() -> Iterator[Registry]:
    """Ours, then mmengine's."""
    for module in (nodes, root):
        yield from (n for n in vars(module).values() if isinstance(n, Registry))


def _arguments(kind: Callable) -> set[str] | None:
    """Names a component can be given; None where it takes any.

    ``**kwargs`` of our classes and mmengine's go to the class they inherit from; whither others
    send theirs is not known.
    """
    taken = set(_TAKEN_OUT)
    if not inspect.isclass(kind):
        own = inspect.signature(kind).parameters.values()
        return None if _open(own) else taken | _names(own)
    for base in kind.__mro__:
        if '__init__' not in vars(base):
            continue
        try:
            own = inspect.signature(base.__init__).parameters.values()
        except ValueError:   # written in C
            return None
        taken |= _names(own)
        if not _open(own):
            return taken - {'self'}
        if base.__module__.split('.')[0] not in _TRACED:
            return None
    return None


def _names(parameters: Iterable[inspect.Parameter]) -> set[str]:
    return {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _open(parameters: Iterable[inspect.Parameter]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in parameters)


def _items(value, path: str = '') -> Iterator[tuple[str, object]]:
    """Dotted path and value of everything below a config."""
    pairs = enumerate(value) if isinstance(value, list | tuple) else value.items()
    for key, item in pairs:
        here = f'{path}.{key}' if path else str(key)
        yield here, item
        if isinstance(item, dict | list | tuple):
            yield from _items(item, here)


def _fault(config: dict, option: str, value) -> str | None:
    """At which part of an option merging cannot go on, and why; None where it can."""
    node, path = config, ''
    for key in option.split('.'):
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                return (f'{path} is a list, which has no {key}; there are '
                        f'{", ".join(map(str, range(len(node)))) or "no entries"}')
            if path + f'.{key}' == option and not isinstance(value, dict):
                return f'one entry of a list cannot be set; give all of them: {path}=[...]'
        elif isinstance(node, tuple):
            return f'{path} is a tuple, {node!r}, of which no part can be set; give all of it'
        elif not isinstance(node, dict):
            return f'{path} is {node!r}, which has no {key}'
        elif key not in node:
            return None
        node = node[int(key) if isinstance(node, list) else key]
        path = f'{path}.{key}' if path else key
    return None


def _holders(config: Config, option: str, value) -> str:
    """Where the value stands that an option wants to change."""
    old = config.get(option) if '.' not in option else None
    if old is None or isinstance(old, bool | dict | list | tuple):
        return '; set it where it is used'
    places = [f'{p}={value}' for p, v in _items(config)
              if p.split('.')[0] in _RUNNER_KEYS and type(v) is type(old) and v == old]
    return f'; its value {old} stands at: {" ".join(places)}' if places else \
        '; set it where it is used'


def _closest(name: str, known: Iterable[str], count: int = 1) -> str:
    """', did you mean ...' or, where nothing is close, what there is."""
    known = sorted(set(known))
    if close := difflib.get_close_matches(name, known, n=count, cutoff=0.6):
        return f'; did you mean {" or ".join(close)}?'
    return f'; there are {", ".join(known)}' if len(known) <= 40 else ''
