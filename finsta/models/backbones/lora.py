"""Low-rank adapters inside a language model, by peft; and folding them back into its weights."""

from typing import Any

from torch import nn

from finsta.utils.optional import require

_DEFAULTS = dict(r=8, alpha=16, dropout=0.05, target_modules=['q_proj', 'k_proj', 'v_proj',
                                                              'o_proj'])


def add_lora(module: nn.Module, lora: dict[str, Any]) -> dict[str, Any]:
    """Put adapters into ``module`` in place and freeze everything else in it.

    Args:
        lora: r, alpha, dropout, target_modules; missing entries from the defaults.

    Returns:
        The complete settings.

    Raises:
        ValueError: unknown entry, or no module of the target names.
    """
    unknown = set(lora) - set(_DEFAULTS)
    if unknown:
        raise ValueError(f'lora has no entries {sorted(unknown)}; known: {sorted(_DEFAULTS)}')
    settings = {**_DEFAULTS, **lora}
    settings['target_modules'] = list(settings['target_modules'])
    peft = require('peft', 'LoRA')
    config = peft.LoraConfig(r=settings['r'], lora_alpha=settings['alpha'],
                             lora_dropout=settings['dropout'],
                             target_modules=settings['target_modules'])
    module.requires_grad_(False)
    peft.inject_adapter_in_model(config, module)
    return settings


def merge_lora(module: nn.Module) -> int:
    """Fold every adapter of ``module`` into its base layer and remove it; returns how many."""
    peft = require('peft', 'LoRA')
    adapted = [(name, child) for name, child in module.named_modules()
               if isinstance(child, peft.tuners.lora.LoraLayer)]
    for name, child in adapted:
        child.merge()
        parent, _, leaf = name.rpartition('.')
        setattr(module.get_submodule(parent), leaf, child.get_base_layer())
    return len(adapted)
