"""The procedural world: scenes -> videos, gold graphs, captions, questions, real-layout twins."""

from finsta.synthvl.difficulty import HELD_OUT, LONG, Difficulty
from finsta.synthvl.gold import Facts, dynamic_graph
from finsta.synthvl.language import describe, subtitles
from finsta.synthvl.minimal_pairs import FACTORS, Pair, make_pair
from finsta.synthvl.questions import ANSWERS, Question, ask
from finsta.synthvl.render import render
from finsta.synthvl.scene import VERSION, Event, Scene, Thing
from finsta.synthvl.world import make_scene

__all__ = ['ANSWERS', 'FACTORS', 'HELD_OUT', 'LONG', 'VERSION', 'Difficulty', 'Event', 'Facts',
           'Pair', 'Question', 'Scene', 'Thing', 'ask', 'describe', 'dynamic_graph', 'make_pair',
           'make_scene', 'render', 'subtitles']
