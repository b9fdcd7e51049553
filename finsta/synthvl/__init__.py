"""The procedural world: scenes -> videos, gold graphs, captions, questions, real-layout twins."""

from finsta.synthvl.difficulty import HELD_OUT, LONG, Difficulty
from finsta.synthvl.gold import Facts, dynamic_graph
from finsta.synthvl.language import describe, subtitles
from finsta.synthvl.planner import make_scene
from finsta.synthvl.questions import ANSWERS, Question, ask
from finsta.synthvl.render import render
from finsta.synthvl.scene import VERSION, Event, Scene, Thing

__all__ = ['ANSWERS', 'HELD_OUT', 'LONG', 'VERSION', 'Difficulty', 'Event', 'Facts', 'Question',
           'Scene', 'Thing', 'ask', 'describe', 'dynamic_graph', 'make_scene', 'render',
           'subtitles']
