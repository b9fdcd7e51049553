"""Published annotation layouts -> (video id, DynamicSceneGraph), one file a layout.

Each reader is ``read(path, **options) -> dict[str, Callable[[], DynamicSceneGraph]]``: the ids a
file or folder holds, each with a function that builds its graph, so that a large corpus is not
built before it is asked for.
"""

from finsta.parsing.video.layouts.action_genome import read_action_genome
from finsta.parsing.video.layouts.finsta_json import read_finsta_json
from finsta.parsing.video.layouts.pvsg import read_pvsg
from finsta.parsing.video.layouts.synthvl import read_synthvl
from finsta.parsing.video.layouts.vidvrd import read_vidvrd

LAYOUTS = {
    'finsta': read_finsta_json,
    'synthvl': read_synthvl,
    'pvsg': read_pvsg,
    'action_genome': read_action_genome,
    'vidvrd': read_vidvrd,
    'vidor': read_vidvrd,
}

__all__ = ['LAYOUTS', 'read_action_genome', 'read_finsta_json', 'read_pvsg', 'read_synthvl',
           'read_vidvrd']
