"""Word lists of the text parser. Closed classes of English only; nothing learned lives here."""

# nouns that name a part of a place rather than a thing: "on the [side] of the road"
RELATIONAL_NOUNS = frozenset(
    [
        'back', 'base', 'bottom', 'center', 'centre', 'corner', 'edge', 'end', 'face', 'front',
        'left', 'middle', 'rear', 'right', 'side', 'sides', 'tip', 'top'])
# "the left", "the right side": a place inside the picture, not a thing, when nothing follows
PICTURE_PLACES = frozenset(['left', 'right', 'distance', 'background', 'foreground'])

# adverbs that are the meaning of a motion: they join the predicate ("move left", "look up")
DIRECTIONS = frozenset(
    [
        'ahead', 'apart', 'around', 'aside', 'away', 'back', 'backward', 'backwards', 'down',
        'downhill', 'downstairs', 'downward', 'downwards', 'forward', 'forwards', 'home', 'in',
        'inside', 'left', 'leftward', 'leftwards', 'off', 'on', 'out', 'outside', 'over',
        'past', 'right', 'rightward', 'rightwards', 'through', 'together', 'towards', 'under',
        'up', 'uphill', 'upstairs', 'upward', 'upwards', 'clockwise', 'counterclockwise',
        'anticlockwise', 'sideways'])
DIRECTION_NOUNS = frozenset(['left', 'right', 'top', 'bottom', 'up', 'down'])
# adverbs that say nothing about what is seen
EMPTY_ADVERBS = frozenset(
    [
        'also', 'so', 'very', 'just', 'too', 'even', 'then', 'now', 'here', 'there', 'really',
        'actually', 'probably', 'maybe', 'perhaps', 'however', 'therefore', 'thus', 'still',
        'already', 'where', 'when', 'why', 'how', 'while', 'afterwards', 'afterward', 'next',
        'first', 'finally', 'later', 'meanwhile', 'else', 'rather', 'quite', 'almost', 'about',
        'approximately', 'only'])
# nominal answers to "how often": predicate attributes although they are noun phrases
TIMES = frozenset(['time', 'times'])

# pronoun -> (number, kind); kind: 'person', 'thing' or None when it may be either
PERSONAL = {
    'he': ('sing', 'male'), 'him': ('sing', 'male'), 'himself': ('sing', 'male'),
    'his': ('sing', 'male'),
    'she': ('sing', 'female'), 'her': ('sing', 'female'), 'hers': ('sing', 'female'),
    'herself': ('sing', 'female'),
    'it': ('sing', 'thing'), 'itself': ('sing', 'thing'), 'its': ('sing', 'thing'),
    'they': ('plur', None), 'them': ('plur', None), 'themselves': ('plur', None),
    'their': ('plur', None), 'theirs': ('plur', None),
}
# what a pronoun without antecedent is called (FACTUAL writes these labels too)
PRONOUN_LABELS = {
    'he': 'man', 'him': 'man', 'himself': 'man', 'his': 'man', 'she': 'woman', 'her': 'woman',
    'hers': 'woman', 'herself': 'woman', 'they': 'people', 'them': 'people',
    'themselves': 'people', 'their': 'people', 'someone': 'person', 'somebody': 'person',
    'anyone': 'person', 'i': 'person', 'me': 'person', 'my': 'person', 'you': 'person',
    'your': 'person', 'we': 'people', 'us': 'people', 'our': 'people', 'who': 'person',
    'everyone': 'people', 'everybody': 'people',
}
EMPTY_SUBJECTS = frozenset(['this', 'that', 'these', 'those', 'it', 'there', 'here'])
RELATIVE_PRONOUNS = frozenset(['that', 'which', 'who', 'whom', 'whose', 'what', 'where', 'when'])

MALE = frozenset(
    [
        'man', 'men', 'boy', 'boys', 'guy', 'guys', 'gentleman', 'father', 'dad', 'son',
        'brother', 'uncle', 'grandfather', 'king', 'husband', 'businessman', 'policeman',
        'fireman', 'fisherman', 'actor', 'waiter'])
FEMALE = frozenset(
    [
        'woman', 'women', 'girl', 'girls', 'lady', 'ladies', 'mother', 'mom', 'daughter',
        'sister', 'aunt', 'grandmother', 'queen', 'wife', 'bride', 'actress', 'waitress',
        'female'])
PERSONS = MALE | FEMALE | frozenset(
    [
        'person', 'people', 'child', 'kid', 'baby', 'toddler', 'player', 'skier', 'surfer',
        'skateboarder', 'snowboarder', 'rider', 'driver', 'chef', 'cook', 'singer', 'dancer',
        'batter', 'catcher', 'pitcher', 'umpire', 'worker', 'student', 'teacher', 'doctor',
        'someone', 'crowd', 'couple', 'friend', 'family', 'male', 'adult', 'teenager',
        'cyclist', 'biker', 'runner', 'swimmer', 'climber', 'speaker', 'reporter', 'soldier',
        'officer', 'judge', 'host'])

NUMBERS = {
    'one': '1', 'two': '2', 'three': '3', 'four': '4', 'five': '5', 'six': '6', 'seven': '7',
    'eight': '8', 'nine': '9', 'ten': '10', 'eleven': '11', 'twelve': '12', 'dozen': '12',
}
BE = frozenset(['be', 'is', 'are', 'was', 'were', 'been', 'being', 'am', "'s", "'re"])
COLOURS = frozenset(
    [
        'red', 'green', 'blue', 'yellow', 'orange', 'purple', 'pink', 'brown', 'black', 'white',
        'gray', 'grey', 'cyan', 'magenta', 'violet', 'turquoise', 'beige', 'tan', 'gold',
        'golden', 'silver', 'maroon', 'teal', 'navy'])

# nouns that measure or group another noun: "a [group] of birds"
MEASURES = frozenset(
    [
        'group', 'pair', 'piece', 'pieces', 'slice', 'slices', 'bunch', 'bunches', 'herd',
        'flock', 'row', 'rows', 'stack', 'stacks', 'pile', 'piles', 'couple', 'set', 'sets',
        'patch', 'patches', 'part', 'lot', 'lots', 'number', 'cluster', 'bit', 'kind', 'type',
        'dozen', 'collection', 'assortment', 'variety', 'lines', 'crowd', 'bits', 'parts',
        'series', 'pairs', 'groups', 'half'])
# prepositions of several words; "of"/"to"/"from"/"with" must be followed by their noun
LONG_PREPOSITIONS = tuple(tuple(p.split()) for p in (
    'in front of', 'on top of', 'next to', 'close to', 'out of', 'inside of', 'outside of',
    'off of', 'on top off', 'side by side with', 'across from', 'in back of', 'away from',
    'in between', 'on board of', 'near to', 'ahead of', 'along with', 'adjacent to', 'at top of',
    'to the left of', 'to the right of', 'on the left of', 'on the right of', 'up to',
    'as well as', 'because of', 'instead of', 'in the shape of', 'in the form of', 'in shape of',
    'onto the top of'))
SIMPLE_PREPOSITIONS = frozenset(
    [
        'on', 'in', 'at', 'to', 'from', 'off', 'along', 'by', 'near', 'of', 'with', 'towards',
        'toward', 'over', 'under', 'around', 'through'])
# "parked by the curb" tells where, not who: these have no agent
PLACED_VERBS = frozenset([
    'park', 'seat', 'stand', 'sit', 'lie', 'lay', 'place', 'locate', 'situate'])
# verbs that only say that another verb's action goes on: "starts to rotate" -> "rotate"
ASPECT_VERBS = frozenset([
    'start', 'begin', 'try', 'continue', 'keep', 'proceed', 'attempt', 'want'])
