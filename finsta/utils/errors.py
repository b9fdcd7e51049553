"""Error classes that more than one package raises."""


class CheckpointError(ValueError):
    """Weights that do not fit the model, or a file that is not what it claims to be; the message
    says why and what to do."""
