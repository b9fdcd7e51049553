"""(seed, index, difficulty) -> Scene: drawn, staged, or of several shots."""

import numpy as np

from finsta.synthvl.difficulty import make_difficulty
from finsta.synthvl.minimal_pairs import FACTORS, stage_scene
from finsta.synthvl.planner import draw_shot, join_shots
from finsta.synthvl.scene import VERSION, Scene

_TWINS = 2


def make_scene(seed: int, index: int, **difficulty) -> Scene:
    """The scene of a number.

    Args:
        seed, index: which scene; together with ``scene.VERSION`` and the options they fix it.
        difficulty: fields of :class:`Difficulty`.

    Raises:
        TypeError, ValueError: for a wrong option.
    """
    options = make_difficulty(difficulty)
    rng = np.random.default_rng([VERSION, seed, index])
    count = int(rng.integers(options.shots[0], options.shots[1] + 1))
    # twins share what decides about the pair, and nothing else
    stage = np.random.default_rng([VERSION, seed, index // 2, _TWINS]) if options.twins else rng
    if count == 1 and stage.random() < options.staged:
        factor = FACTORS[stage.integers(len(FACTORS))]
        scene = stage_scene(factor, stage, options.combinations,
                            index % 2 if options.twins else None)
        scene = scene.replace(canvas=options.canvas, fps=options.fps)
    else:
        shots = [draw_shot(rng, options) for _ in range(count)]
        scene = shots[0] if count == 1 else join_shots(shots)
    return scene.replace(seed=seed, index=index)
