"""Annotation files and videos -> VideoTextSample."""
