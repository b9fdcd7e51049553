"""Strings from outside."""


def well_formed(text: str) -> str:
    """The same text with a question mark for each half of a surrogate pair.

    Such a half, e.g. of an emoji that was cut, has no UTF-8 form: tokenisers, spaCy and files
    refuse it. Offsets stay.
    """
    return text.encode('utf-8', 'replace').decode('utf-8')
