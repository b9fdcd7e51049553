"""Renaming released checkpoints: a declarative list of rules, and an engine that skips nothing.

A rule is a pattern of original names, the names it becomes, and what happens to the tensor. Keys
that no rule covers, keys of the model that nothing became, and shapes that differ are all errors.
State-dict names and layouts are facts about the originals; no code of theirs is used. Ours.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from finsta.registry import BACKBONES
from finsta.utils.errors import add_debug_argument, errors_in_sentences

from .base import VideoLanguageBackbone
from .checkpoint import CheckpointError, backbone_part, load_strictly, read_state_dict, sha256


def transpose(x: Tensor) -> tuple[Tensor]:
    """(a, b) -> (b, a): matrices that the original multiplies from the right."""
    return (x.T,)


def split3(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(3 C, ...) -> query, key, value of (C, ...)."""
    return tuple(x.chunk(3))


@dataclass(frozen=True)
class Rule:
    r"""``pattern`` (full match, original name) -> ``targets`` (``\1`` = a group) by ``transform``.

    No target means that the key is known and left out, e.g. a head that the backbone has not.
    """

    pattern: str
    targets: str | tuple[str, ...] = ()
    transform: Callable[[Tensor], tuple[Tensor, ...]] | None = None


def rename(state: Mapping[str, Tensor], rules: Sequence[Rule]) -> tuple[dict[str, Tensor],
                                                                       list[str], list[str]]:
    """Apply the first matching rule to every key.

    Returns:
        new state dict in fp32 (integers as they are); keys left out by a rule; keys without one.

    Raises:
        CheckpointError: two keys become one name, or a transform does not fit its targets.
    """
    compiled = [(re.compile(rule.pattern), rule) for rule in rules]
    result: dict[str, Tensor] = {}
    dropped, unknown = [], []
    for key, value in state.items():
        match, rule = next(((m, r) for p, r in compiled if (m := p.fullmatch(key))), (None, None))
        if rule is None:
            unknown.append(key)
            continue
        targets = (rule.targets,) if isinstance(rule.targets, str) else rule.targets
        if not targets:
            dropped.append(key)
            continue
        tensors = rule.transform(value) if rule.transform else (value,)
        if len(tensors) != len(targets):
            raise CheckpointError(f'{key}: {len(tensors)} tensors for {len(targets)} names')
        for target, tensor in zip(targets, tensors, strict=True):
            name = match.expand(target)
            if name in result:
                raise CheckpointError(f'{key} becomes {name}, which another key became already')
            result[name] = (tensor.float() if tensor.is_floating_point() else tensor).clone()
    return result, dropped, unknown


def convert(state: Mapping[str, Tensor], rules: Sequence[Rule], cfg: dict[str, Any], source: str,
            allow_missing: Sequence[str] = (), allow_unexpected: Sequence[str] = ()) \
        -> VideoLanguageBackbone:
    """Build ``cfg`` and fill it with the renamed ``state``.

    Raises:
        CheckpointError: listing missing, unexpected and mismatched keys that are not allowed.
    """
    renamed, dropped, unknown = rename(state, rules)
    for key in unknown:
        renamed[key] = state[key]  # reported as unexpected below, under the original name
    if dropped:
        print_log(f'{source}: {len(dropped)} known keys have no place in {cfg["type"]}: '
                  + ', '.join(dropped[:8]) + (' ...' if len(dropped) > 8 else ''),
                  logger='current')
    backbone = BACKBONES.build(cfg)
    load_strictly(backbone, renamed, source, allow_missing, allow_unexpected)
    return backbone


def count_layers(state: Mapping[str, Tensor], pattern: str) -> int:
    """1 + the largest number that the group of ``pattern`` (search) matches; 0 without one."""
    found = [int(m.group(1)) for m in (re.search(pattern, key) for key in state) if m]
    return max(found) + 1 if found else 0


def shape_of(state: Mapping[str, Tensor], key: str, what: str) -> torch.Size:
    """Shape of ``key``.

    Raises:
        CheckpointError: when it is absent: the file is no ``what``.
    """
    if key not in state:
        raise CheckpointError(f'this is no checkpoint of {what}: it has no key {key!r}; it begins '
                              f'with {", ".join(list(state)[:5])}')
    return state[key].shape


def run_converter(description: str, rules: Sequence[Rule],
                  infer: Callable[[Mapping[str, Tensor], str], dict[str, Any]],
                  default_tokenizer: str, argv: Sequence[str] | None = None,
                  prepare: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None
                  ) -> Path:
    """The command line that all converters share; returns the folder written.

    Args:
        infer: (state dict, tokeniser) -> config dict with the checkpoint's sizes.
        prepare: state dict -> state dict, before ``infer`` and the rules; for what a rule, which
            sees one key at a time, cannot do.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('source', type=Path, help='released checkpoint (.pth, .pt, .bin)')
    parser.add_argument('out', type=Path, help='folder to write')
    parser.add_argument('--tokenizer', default=default_tokenizer,
                        help='folder or hub name of the tokeniser (default: %(default)s)')
    parser.add_argument('--allow-missing', nargs='*', default=[], metavar='PATTERN',
                        help='keys of the model that the file may lack')
    parser.add_argument('--allow-unexpected', nargs='*', default=[], metavar='PATTERN',
                        help='keys of the file that may have no place')
    parser.add_argument('--overwrite', action='store_true',
                        help='write into a folder that holds something')
    add_debug_argument(parser)
    args = parser.parse_args(argv)
    with errors_in_sentences(args.debug):
        check_target(args.out, args.overwrite)
        state: Mapping[str, Tensor] = backbone_part(read_state_dict(args.source))
        if prepare is not None:
            state = prepare(state)
        backbone = convert(state, rules, infer(state, args.tokenizer), str(args.source),
                           args.allow_missing, args.allow_unexpected)
        backbone.save(args.out, dict(converted_from=args.source.name, sha256=sha256(args.source),
                                     note='converted; training not reproduced'))
    print(f'{sum(p.numel() for p in backbone.parameters()):,} parameters written to {args.out}')
    return args.out


def check_target(out: Path, overwrite: bool) -> None:
    """The folder to write is none yet, or empty, or may be overwritten.

    Raises:
        NotADirectoryError, FileExistsError: it is a file, or holds something.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f'{out} is a file, where a folder is to be written; give another '
                                 'name')
    if not overwrite and out.is_dir() and any(out.iterdir()):
        raise FileExistsError(f'{out} holds something already; give another folder, or '
                              '--overwrite')
