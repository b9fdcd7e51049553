"""Steps that prepare a sample: decoding, resizing, cropping, graphs."""

from finsta.datasets.transforms.video import DecordReader, PyAVReader, open_video

__all__ = ['DecordReader', 'PyAVReader', 'open_video']
