"""Frames, graphs, alignments and curves as SVG, and one self-contained HTML page."""

from finsta.visualization.alignment import AlignmentRow, alignment_rows, draw_holistic
from finsta.visualization.curves_svg import draw_curves
from finsta.visualization.page import HtmlPage
from finsta.visualization.report import write_report
from finsta.visualization.scene_graph_svg import draw_scene_graph
from finsta.visualization.timeline_svg import draw_timeline

__all__ = ['AlignmentRow', 'HtmlPage', 'alignment_rows', 'draw_curves', 'draw_holistic',
           'draw_scene_graph', 'draw_timeline', 'write_report']
