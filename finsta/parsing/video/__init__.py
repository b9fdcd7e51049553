"""Video -> DynamicSceneGraph: annotations, motion, detectors."""

from finsta.parsing.video.annotation import AnnotationVideoParser
from finsta.parsing.video.detector import DetectorVideoParser
from finsta.parsing.video.motion import MotionVideoParser
from finsta.parsing.video.tracking import IoUHungarianTracker

__all__ = ['AnnotationVideoParser', 'DetectorVideoParser', 'IoUHungarianTracker',
           'MotionVideoParser']
