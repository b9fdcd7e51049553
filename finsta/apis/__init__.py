"""What a program that uses the package calls."""

from finsta.apis.inferencer import FinstaInferencer
from finsta.apis.models import get_config, get_model, list_models

__all__ = ['FinstaInferencer', 'get_config', 'get_model', 'list_models']
