"""What the rules write: mentions of things and relations among them, before they become a graph.

Indices are token indices of the Tree; a mention is known by its head token.
"""

from dataclasses import dataclass, field

Span = tuple[int, int]


@dataclass
class Phrase:
    """A label and the characters it came from (attributes, adverbs)."""

    label: str
    span: Span


@dataclass
class Mention:
    """A noun phrase or pronoun that names a thing.

    Attributes:
        head: token index of its head.
        label: lower-case label, e.g. "baseball bat".
        span: characters of the label's words.
        modifiers: noun modifiers that may or may not belong to the label ("baseball" of "baseball
            bat"), in order of the text; token indices.
        attributes: what is said of it.
        pronoun: the lower-case pronoun it is, or ''.
        definite: it has "the", "this", "that", "these", "those".
        hidden: it stands in the draft for linking only and makes no node ("this is a cow").
    """

    head: int
    label: str
    span: Span
    modifiers: list[int] = field(default_factory=list)
    attributes: list[Phrase] = field(default_factory=list)
    pronoun: str = ''
    definite: bool = False
    hidden: bool = False


@dataclass
class Relation:
    """A predicate with at most one subject and one object.

    Attributes:
        label: "sit on", "in front of", "have".
        subject, object: head tokens of mentions, or None.
        span: characters of the predicate's words.
        source: 'verb', 'verb+prep', 'prep', 'poss' or 'adj': which rule made it.
        verb: token index of the verb, or of the preposition.
        adverbs: what is said of it.
    """

    label: str
    subject: int | None
    object: int | None
    span: Span
    source: str
    verb: int
    adverbs: list[Phrase] = field(default_factory=list)


@dataclass
class Draft:
    """One text's mentions (by head token, in order of the text) and relations."""

    mentions: dict[int, Mention] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    # mention that is another one: "group" of "group of birds", "skier" of "the man is a skier"
    aliases: dict[int, int] = field(default_factory=dict)

    def resolve(self, head: int | None) -> int | None:
        """Follow aliases to the mention that becomes the node."""
        for _ in range(len(self.aliases)):
            if head not in self.aliases:
                break
            head = self.aliases[head]
        return head
