"""Factors of named loss terms, checked."""


def loss_weights(owner: str, given: dict[str, float] | None, default: dict[str, float]
                 ) -> dict[str, float]:
    """``default`` with what ``given`` changes.

    Raises:
        ValueError: for a term that ``default`` does not have, or a factor that is no number of at
            least 0 (a negative one would train away from the target).
    """
    for name, factor in (given or {}).items():
        if name not in default:
            raise ValueError(f'{owner}.weights has no {name!r}; its terms are '
                             f'{", ".join(default)}')
        if not isinstance(factor, int | float) or not factor >= 0:
            raise ValueError(f'{owner}.weights.{name}={factor!r} must be a number of at least 0')
    return {**default, **(given or {})}
