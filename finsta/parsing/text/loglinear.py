"""A log-linear classifier over named features: a table of weights, readable as JSON."""

from collections.abc import Iterable


class LogLinear:
    """score(class) = bias + sum of the weights of the active features; unknown features weigh 0.

    Args:
        classes: names of the classes.
        bias: one float a class.
        weights: feature name -> list of (class index, weight).

    Raises:
        ValueError: when a weight names a class that does not exist.
    """

    def __init__(self, classes: list[str], bias: list[float],
                 weights: dict[str, list[tuple[int, float]]]) -> None:
        if len(bias) != len(classes):
            raise ValueError(f'{len(bias)} biases for {len(classes)} classes')
        self.classes = list(classes)
        self.bias = [float(b) for b in bias]
        self.weights = {name: [(int(c), float(w)) for c, w in row]
                        for name, row in weights.items()}
        bad = {c for row in self.weights.values() for c, _ in row if not 0 <= c < len(classes)}
        if bad:
            raise ValueError(f'weights name class {min(bad)}, there are {len(classes)} classes')

    def best(self, features: Iterable[str], barred: Iterable[str] = ()) -> str:
        """The class of the highest score that is not barred; ties go to the earlier class."""
        scores = list(self.bias)
        for feature in features:
            for index, weight in self.weights.get(feature, ()):
                scores[index] += weight
        barred = set(barred)
        open_classes = [i for i, name in enumerate(self.classes) if name not in barred]
        return self.classes[max(open_classes, key=lambda i: (scores[i], -i))]

    def to_dict(self) -> dict:
        """Plain JSON types; weights as whole tenths, "class:weight" pairs in one string."""
        rows = {name: ' '.join(f'{c}:{round(w * 10)}' for c, w in row if round(w * 10))
                for name, row in self.weights.items()}
        return {'classes': self.classes, 'bias': [round(b, 2) for b in self.bias],
                'weights': {name: row for name, row in rows.items() if row}}

    @classmethod
    def from_dict(cls, data: dict) -> 'LogLinear':
        """Inverse of :meth:`to_dict`.

        Raises:
            KeyError, ValueError: when a part is missing or malformed.
        """
        weights = {name: [(int(c), int(w) / 10) for c, _, w in
                          (pair.partition(':') for pair in row.split())]
                   for name, row in data['weights'].items()}
        return cls(data['classes'], data['bias'], weights)
