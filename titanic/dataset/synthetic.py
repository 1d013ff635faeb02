"""Synthetic passengers in Kaggle's format, drawn from a seed; no real person is included.

In: a seed and a number of rows. Out: train.csv and test.csv, written chunk by chunk, so that memory is bounded.

Whole travelling parties (a couple, parents with children, two friends) are drawn first. A party has one ticket, port and
cabin, a family one surname, and its women and children mostly have the same outcome. The people are then distributed over
both files. Every figure is a published aggregate or a count by class [K], or is set so that these result; the sources:

[D] Dawson (1995), "The 'Unusual Episode' Data Revisited", Journal of Statistics Education 3(3): survival by class, sex
    and age group. https://ww2.amstat.org/publications/jse/v3n3/datasets.dawson.html
[S] Sehgal, "Titanic Data Science Solutions": survival by class, sex, port, SibSp, Parch, family size and title; titles
    by sex; quartiles of age and fare. https://www.kaggle.com/startupsci/titanic-data-science-solutions
[T] Stephens, "Titanic: Getting Started With R", part 2: survival by class, sex and fare band.
    https://trevorstephens.com/kaggle-titanic-tutorial/r-part-2-the-gender-class-model
[G] Schmidt, "The Titanic Data Set And The Woman-Child Model": women and children of a family have the same outcome.
    http://thatdatatho.com/2018/09/
[B] Burger, "A Method for Missing Data": missing ages by class and company.
    http://www.phillipburger.net/wordpress/data-analysis/page/4/
[H] Harrell and Cason, titanic3: 1309 passengers, their missing values. https://hbiostat.org/data/repo/titanic.html
[E] Encyclopedia Titanica, "Revenue": what a ticket cost, half for children, a boy is Master until 14.
    https://www.encyclopedia-titanica.org/community/threads/revenue.4730/
[K] Counts and quartiles by class in Kaggle's training data, as any exploration of it prints them (SibSp, Parch, port,
    age, fare, deck, cabin known, prefix of the ticket). Aggregates only: no row of that data is here.

Arithmetic is limited to whole numbers, sums, products and linear interpolation: exp and log differ between processors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from titanic.schema import TARGET, Clean

Array = np.ndarray[Any, np.dtype[Any]]
Table = dict[Any, int]  # values and their weights

# People drawn at a time, which bounds the memory. Another size gives other passengers.
CHUNK = 65_536
# Kaggle's share of the passengers for training [H].
KAGGLE_TRAIN, KAGGLE_ALL = 891, 1309

# Tables below have one entry per class, first to third, unless noted otherwise.

# Who travels together, and how many such parties there are among about 8910 passengers [S][K].
#   M man, W unmarried woman, V wife whose husband is elsewhere: alone
#   H husband or father, Y wife or mother, K child, B brother, S sister: relatives of one surname
#   F and G: a man and a woman who share the ticket (friend, servant) but not the family
PARTIES = (
    {"M": 650, "MF": 45, "W": 120, "V": 90, "WG": 45, "VG": 20, "HY": 210, "HYG": 20, "BS": 15, "SS": 15, "YK": 60}
    | {"HK": 40, "HYK": 60, "HYKG": 10, "HYKK": 15, "YKK": 10, "HYKKKK": 6},
    {"M": 650, "MF": 15, "MFFFFFF": 4, "W": 210, "V": 80, "WG": 15, "HY": 100, "BB": 20, "BS": 10, "SS": 10, "YK": 40}
    | {"HYK": 70, "YKK": 30, "BBB": 5, "HYKK": 25, "YKKK": 7, "HYKKK": 3},
    {"M": 2350, "MF": 90, "MFF": 30, "MFFFFFF": 3, "W": 520, "V": 50, "WG": 20, "HY": 150, "BB": 40, "BS": 30}
    | {"SS": 30, "YK": 50, "BBB": 20, "BBS": 10, "HYK": 70, "YKK": 30, "HYKK": 10, "YKKK": 10, "HYKKK": 10}
    | {"YKKKK": 14, "HYKKKK": 12, "YKKKKK": 16, "HYKKKKK": 17, "HYKKKKKK": 8, "HYKKKKKKKKK": 6},
)
MALE, WIFE, PARENT, CHILD, SIBLING, OUTSIDER = "MHBF", "VY", "HY", "K", "BS", "FG"

# The groups that tables of people have, in this order.
MAN, BOY, MISS, WED = range(4)
BOY_BELOW = 14  # years [E]

SURVIVAL = ((0.385, 1.0, 0.968, 0.968), (0.088, 1.0, 0.921, 0.921), (0.115, 0.78, 0.5, 0.5))  # by group [D][S]
# Factors on it in third class, by port C, Q, S [S], and in a large family there [T]; and for old men [S].
PORT_FACTOR = ((1.8, 1.2, 1.5, 1.5), (0.6, 1.0, 1.6, 1.6), (1.0, 1.0, 0.95, 0.95))
LARGE, LARGE_FACTOR = 5, 0.15
OLD, OLD_FACTOR = 60, 0.3
# How often a woman or child has the outcome of the party's other women and children [G]; men are independent.
SHARED_OUTCOME = 0.85

PORTS = "CQS"
# By class, parties led by a man and by a woman [K].
PORT_SHARE: tuple[tuple[Table, ...], ...] = (
    ({"C": 37, "Q": 1, "S": 62}, {"C": 50, "Q": 1, "S": 49}),
    ({"C": 9, "Q": 1, "S": 90}, {"C": 9, "Q": 3, "S": 88}),
    ({"C": 12, "Q": 11, "S": 77}, {"C": 18, "Q": 30, "S": 52}),
)

# Years of age at these shares of men, children (however old), unmarried women and wives, by class [S][K].
AGE_AT = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
AGE = (
    ((18, 22, 31, 41, 51.5, 66, 80), (16, 18, 24.5, 31, 37, 57, 70), (14, 17, 20.5, 25.5, 33, 48, 74)),
    ((0.9, 2, 10, 17, 22, 28, 36), (0.6, 0.8, 2, 6, 13, 24, 30), (0.4, 1, 2, 5, 9, 15, 24)),
    ((16, 18, 22, 30, 38, 54, 63), (16, 17, 20, 26, 32, 42, 50), (13, 15, 17.5, 20.5, 24, 34, 45)),
    ((17, 19, 31, 39, 49, 59, 63), (14, 19, 26, 32, 41, 51, 57), (15, 19, 26, 30, 38, 47, 63)),
)
ESTIMATED_SHARE = 0.03  # of ages, which then end in .5 [S]
PARENT_OLDER = 18  # years, at least

# Pounds of 1912 a head, by port C, Q, S [K][E]. A child pays half; the fare of a ticket is for all on it.
PRICE: tuple[tuple[Table, ...], ...] = (
    (
        {26.55: 2, 27.7208: 5, 29.7: 3, 31.0: 2, 35.5: 1, 39.6: 2, 49.5042: 2, 56.9292: 1, 66.6: 1, 79.2: 2}
        | {110.8833: 1, 135.6333: 2, 170.7764: 2},
        {30.0: 1, 45.0: 1},
        {25.925: 1, 26.0: 2, 26.2875: 1, 26.55: 10, 27.75: 2, 30.0: 4, 30.5: 3, 35.5: 1, 38.5: 1, 45.0: 1, 52.0: 2}
        | {66.3: 1, 75.6: 2, 110.8833: 1, 135.0: 1},
    ),
    (
        {12.0: 1, 13.7917: 1, 13.8583: 1, 15.0333: 1, 15.05: 1, 18.5: 1},
        {12.35: 1},
        {10.5: 30, 11.5: 6, 12.275: 4, 13.0: 42, 15.0: 3, 16.0: 2},
    ),
    (
        {7.225: 12, 7.2292: 15, 7.8958: 8, 8.6625: 3, 9.5: 1},
        {7.75: 34, 7.7333: 4, 7.8292: 2, 7.8792: 4, 8.1375: 2},
        {7.05: 7, 7.25: 13, 7.65: 4, 7.775: 16, 7.8542: 13, 7.8958: 38, 7.925: 18, 8.05: 43, 8.6625: 8, 9.5: 9}
        | {10.1708: 4},
    ),
)
FREE_SHARE = (0.1, 0.09, 0.02)  # of men alone from Southampton, guests of the line and the yard [K]
DEAREST = 512.3292  # pounds a ticket [S]

# Text before a ticket's number, by port C, Q, S; the number begins with the class [K].
PREFIX: tuple[tuple[Table, ...], ...] = (
    ({"PC ": 2, "": 1}, {"": 1}, {"": 14, "PC ": 1}),
    ({"SC/PARIS ": 2, "S.C./PARIS ": 1, "": 1}, {"": 1}, {"": 12, "C.A. ": 2, "S.O.C. ": 1, "F.C.C. ": 1, "W/C ": 1}),
    ({"C ": 1, "": 9}, {"": 1}, {"": 26, "A/5 ": 2, "STON/O 2. ": 2, "SOTON/OQ ": 2, "C.A. ": 2, "W./C. ": 1}),
)
CLASS_NUMBERS = 100_000

# Cabins by deck [K].
DECK = ({"A": 15, "B": 47, "C": 59, "D": 29, "E": 25, "T": 1}, {"D": 4, "E": 4, "F": 8}, {"E": 3, "F": 5, "G": 4})
CABINS = 130  # numbers a deck

CABIN_SHARE = ((0.738, 0.86), (0.031, 0.149), (0.016, 0.05))  # of the dead, of survivors [K]
AGE_MISSING = ((0.21, 0.065), (0.105, 0.0), (0.305, 0.22))  # alone, with family [B][K]
EMBARKED_MISSING, FARE_MISSING = 2 / KAGGLE_ALL, 1 / KAGGLE_ALL  # [H]

# By group [S][K].
TITLE: tuple[tuple[Table, ...], ...] = (
    (
        {"Mr": 107, "Dr": 4, "Major": 2, "Col": 2, "Capt": 1, "Sir": 1, "Don": 1, "Jonkheer": 1},
        {"Master": 1},
        {"Miss": 46, "Mlle": 2, "Dr": 1, "the Countess": 1},
        {"Mrs": 42, "Mme": 1, "Lady": 1},
    ),
    ({"Mr": 91, "Rev": 6, "Dr": 2}, {"Master": 1}, {"Miss": 34, "Ms": 1}, {"Mrs": 1}),
    ({"Mr": 1}, {"Master": 1}, {"Miss": 1}, {"Mrs": 1}),
)

# Names are composed of these syllables and common given names, never copied from real passengers.
ONSETS = "Al Bar Cor Dun El Far Gar Hal Il Jor Kel Lan Mor Nor Os Pal Quin Ros Sel Tor Ul Ver Wil Yar"
MIDDLES = "a am an ar e el en er i in is o ol on or u"
ENDINGS = "berg by den dahl ey ford gren ham kin ley lund man mer ner quist son stad ton vik well wick worth"
MEN = (
    "Abel Albert Anton Arthur Bertil Carl Cecil Charles Daniel Edgar Edward Emil Ernest Felix Francis Frank George "
    "Gustav Harold Henry Herbert Hugo Ivan James John Joseph Karl Leo Louis Martin Michael Nils Oscar Patrick Paul "
    "Peter Ralph Robert Samuel Sidney Stefan Thomas Victor Walter William"
)
WOMEN = (
    "Ada Agnes Alice Alma Anna Annie Beatrice Bertha Bridget Catherine Clara Edith Elin Eliza Ella Ellen Elsie Emily "
    "Emma Ethel Eva Florence Grace Hanna Helen Ida Ingrid Jane Jessie Julia Kate Laura Lillian Mabel Margaret Maria "
    "Marion Martha Mary Maud Nora Olga Rosa Ruth Sara Selma Sofia Susan Winifred"
)
NICKNAMES = "Bess Dolly Flo Hattie Kit Lottie Minnie Nell Polly"
SECOND_NAME_SHARE, NICKNAME_SHARE = 0.7, 0.08


class _Parties(NamedTuple):
    """Kinds of party, or parties drawn from them: arrays (parties,), and (parties, places) of the members."""

    weight: Array
    pclass: Array  # from 0
    port: Array  # 0, 1, 2 for PORTS
    size: Array
    role: Array
    sibsp: Array
    parch: Array


class _Members(NamedTuple):
    """Drawn people: arrays (people,); `party` is the index of their party."""

    party: Array
    role: Array
    sibsp: Array
    parch: Array
    male: Array
    age: Array
    group: Array


def write_passengers(seed: int, rows: int, train: Path, test: Path) -> None:
    """Write `rows` passengers, the share 891/1309 of them with their outcome to `train` and the others to `test`.

    The keys run from 1 through `train` and on through `test`. UTF-8, LF, an empty cell for a missing value. A seed
    (0 or more) and a number of rows give the same bytes on every x86-64 machine. Raises ValueError for a negative seed.
    """
    with train.open("wb") as labelled, test.open("wb") as unlabelled:
        labelled.write((",".join(Clean) + "\n").encode())
        unlabelled.write((",".join(name for name in Clean if name != TARGET) + "\n").encode())
        for chunk, start in enumerate(range(0, rows, CHUNK)):
            stop = min(start + CHUNK, rows)
            people = _people(np.random.default_rng([seed, chunk]), chunk, stop - start)
            before, cut = _trained(start), _trained(stop) - _trained(start)
            labelled.write(_lines(people.slice(0, cut), 1 + before))
            unlabelled.write(_lines(people.slice(cut).drop_columns(TARGET), 1 + _trained(rows) + start - before))


def _trained(rows: int) -> int:
    """Return how many of the first `rows` people are for training."""
    return round(rows * KAGGLE_TRAIN / KAGGLE_ALL)


def _lines(people: pa.Table, first_key: int) -> bytes:
    cells = {name: people[name].combine_chunks().cast(pa.string()) for name in people.column_names}
    # of all cells only a name holds a comma, and always
    cells[Clean.Name] = _join('"', pc.replace_substring(cells[Clean.Name], '"', '""'), '"')
    keys = pa.array(np.arange(first_key, first_key + len(people))).cast(pa.string())
    lines = pc.binary_join_element_wise(keys, *cells.values(), ",", null_handling="replace", null_replacement="")
    return "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _join(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _people(draw: np.random.Generator, chunk: int, size: int) -> pa.Table:
    """Draw whole parties of `size` people in all; return the people in random order, with every column but the key."""
    parties = _parties(draw, size)
    people = _members(draw, parties)
    party, pclass = people.party, parties.pclass[people.party]
    survived = _survived(draw, parties, people)
    family = (people.sibsp + people.parch > 0).astype(np.int64)
    has_cabin = draw.random(len(parties.size))[party] < np.array(CABIN_SHARE)[pclass, survived]
    age_missing = draw.random(size) < np.array(AGE_MISSING)[pclass, family]
    columns = {
        Clean.Survived: survived,
        Clean.Pclass: pclass + 1,
        Clean.Name: _names(draw, parties, people),
        Clean.Sex: np.where(people.male, "male", "female"),
        Clean.Age: pa.array(people.age, mask=age_missing),
        Clean.SibSp: people.sibsp,
        Clean.Parch: people.parch,
        Clean.Ticket: _tickets(draw, chunk, parties).take(party),
        Clean.Fare: pa.array(_fares(draw, parties, people)[party], mask=draw.random(size) < FARE_MISSING),
        Clean.Cabin: pa.array(_cabins(draw, parties)[party], mask=~has_cabin),
        Clean.Embarked: pa.array(np.array(list(PORTS))[parties.port[party]], mask=draw.random(size) < EMBARKED_MISSING),
    }
    return pa.table(columns)


def _kinds() -> _Parties:
    """Return every kind of party in PARTIES; none has a port yet."""
    kinds = [(pclass, roles, weight) for pclass, table in enumerate(PARTIES) for roles, weight in table.items()]
    pclass, parties, weight = zip(*kinds, strict=True)
    places = max(map(len, parties))
    relatives = np.zeros((2, len(kinds), places), dtype=np.int64)
    for kind, roles in enumerate(parties):
        relatives[:, kind, : len(roles)] = np.transpose([_relatives(roles, role) for role in roles])
    role = np.array([list(roles.ljust(places)) for roles in parties])
    size = np.array([len(roles) for roles in parties])
    return _Parties(np.array(weight), np.array(pclass), np.zeros(len(kinds), int), size, role, *relatives)


def _relatives(roles: str, role: str) -> tuple[int, int]:
    """Return SibSp and Parch of one member of a party."""
    children, parents, siblings = (sum(map(roles.count, letters)) for letters in (CHILD, PARENT, SIBLING))
    if role in PARENT:
        return parents - 1, children
    if role in CHILD:
        return children - 1, parents
    return (siblings - 1 if role in SIBLING else 0), 0


def _parties(draw: np.random.Generator, size: int) -> _Parties:
    """Draw parties of `size` people in all, evenly spaced through the weights, so that a small sample is typical, too."""
    kinds = _kinds()
    total = kinds.weight.sum()
    count = -(-size * total // (kinds.weight * kinds.size).sum())
    kind = draw.permutation(_pick(kinds.weight, (np.arange(count) * total + draw.integers(total)) // count))
    kind = kind[np.cumsum(kinds.size[kind]) <= size]
    # those left over, fewer than the largest party, travel alone
    alone = np.flatnonzero(kinds.size == 1)
    weight = kinds.weight[alone]
    rest = _pick(weight, draw.integers(weight.sum(), size=size - kinds.size[kind].sum()))
    drawn = _Parties(*(field[np.append(kind, alone[rest])] for field in kinds))
    port = _choose(draw, PORT_SHARE, drawn.pclass, ~_is(drawn.role[:, 0], MALE))
    return drawn._replace(port=np.searchsorted(list(PORTS), port))


def _pick(weight: Array | list[int], points: Array) -> Array:
    """Return the index of the weight, laid end to end, into which each point falls."""
    return np.searchsorted(np.cumsum(weight), points, side="right")


def _choose(draw: np.random.Generator, tables: Sequence[Sequence[Table]], row: Array, column: Array) -> Array:
    """Draw a value for each pair of `row` and `column` by the weights of tables[row][column]."""
    flat = [table for line in tables for table in line]
    which = row * len(tables[0]) + column
    values = np.array([value for table in flat for value in table])
    index = np.zeros(len(which), dtype=np.int64)
    start = 0
    for number, table in enumerate(flat):
        here = which == number
        weight = list(table.values())
        index[here] = start + _pick(weight, draw.integers(sum(weight), size=here.sum()))
        start += len(table)
    return values[index]


def _is(role: Array, letters: str) -> Array:
    return np.isin(role, list(letters))


def _members(draw: np.random.Generator, parties: _Parties) -> _Members:
    party = np.repeat(np.arange(len(parties.size)), parties.size)
    place = np.arange(len(party)) - (np.cumsum(parties.size) - parties.size)[party]
    order = draw.permutation(len(party))
    party, place = party[order], place[order]
    role = parties.role[party, place]
    male = np.where(_is(role, CHILD), draw.random(len(role)) < 0.5, _is(role, MALE))
    age = _ages(draw, parties, party, role, male=male)
    group = np.select([male & (age < BOY_BELOW), male, _is(role, WIFE)], [BOY, MAN, WED], MISS)
    return _Members(party, role, parties.sibsp[party, place], parties.parch[party, place], male, age, group)


def _ages(draw: np.random.Generator, parties: _Parties, party: Array, role: Array, *, male: Array) -> Array:
    """Return years: whole ones, some estimated to the half, hundredths below one; parents are old enough for their children."""
    group = np.select([_is(role, CHILD), male, _is(role, WIFE)], [BOY, MAN, WED], MISS)
    luck, age = draw.random(len(role)), np.zeros(len(role))
    for number, classes in enumerate(AGE):
        for pclass, ages in enumerate(classes):
            here = (parties.pclass[party] == pclass) & (group == number)
            age[here] = np.interp(luck[here], AGE_AT, ages)
    half = 0.5 * (draw.random(len(role)) < ESTIMATED_SHARE)
    age = np.where(age < 1, np.rint(age * 100) / 100, np.rint(age) + half)
    least = np.zeros(len(parties.size))
    np.maximum.at(least, party, np.where(_is(role, CHILD), np.floor(age) + PARENT_OLDER, 0))
    return np.where(_is(role, PARENT), np.maximum(age, least[party]), age)


def _survived(draw: np.random.Generator, parties: _Parties, people: _Members) -> Array:
    pclass, group = parties.pclass[people.party], people.group
    third = pclass == len(PARTIES) - 1
    large = people.sibsp + people.parch + 1 >= LARGE
    probability = np.array(SURVIVAL)[pclass, group]
    probability *= np.where(third, np.array(PORT_FACTOR)[parties.port[people.party], group], 1.0)
    probability *= np.where(third & large, LARGE_FACTOR, 1.0)
    probability *= np.where((group == MAN) & (people.age > OLD), OLD_FACTOR, 1.0)
    shared = (group != MAN) & (draw.random(len(group)) < SHARED_OUTCOME)
    luck = np.where(shared, draw.random(len(parties.size))[people.party], draw.random(len(group)))
    return (luck < probability).astype(np.int64)


def _fares(draw: np.random.Generator, parties: _Parties, people: _Members) -> Array:
    """Return pounds per ticket."""
    price = _choose(draw, PRICE, parties.pclass, parties.port)
    heads = np.bincount(people.party, weights=np.where(people.age < BOY_BELOW, 0.5, 1.0))
    free = draw.random(len(price)) < np.array(FREE_SHARE)[parties.pclass]
    free &= (parties.size == 1) & _is(parties.role[:, 0], MALE) & (parties.port == PORTS.index("S"))
    return np.where(free, 0.0, np.minimum(np.round(price * heads, 4), DEAREST))


def _tickets(draw: np.random.Generator, chunk: int, parties: _Parties) -> pa.Array:
    """Return numbers that no two parties share, whatever their chunk."""
    count = len(parties.size)
    step = CLASS_NUMBERS // count
    number = draw.permutation(count) * step + draw.integers(step, size=count)
    number += (chunk * 10 + parties.pclass + 1) * CLASS_NUMBERS
    return _join(pa.array(_choose(draw, PREFIX, parties.pclass, parties.port)), pa.array(number).cast(pa.string()))


def _cabins(draw: np.random.Generator, parties: _Parties) -> Array:
    """Return a cabin for every two people in first class, up to three cabins; elsewhere one."""
    deck = _choose(draw, [DECK], np.zeros_like(parties.pclass), parties.pclass)
    number = draw.integers(1, CABINS, size=len(deck))
    rooms = np.where(parties.pclass == 0, np.minimum((parties.size + 1) // 2, 3), 1)
    cabins = np.char.add(deck, number.astype(str))
    for further in (1, 2):
        next_door = np.char.add(np.char.add(" ", deck), (number + 2 * further).astype(str))
        cabins = np.char.add(cabins, np.where(rooms > further, next_door, ""))
    return cabins


def _names(draw: np.random.Generator, parties: _Parties, people: _Members) -> pa.Array:
    """Return `Surname, Title. Given names`, and for a wife `Surname, Title. Husband's names (Her names Maiden name)`."""
    size, count = len(people.party), len(parties.size)
    family = _surnames(draw, count).take(people.party)
    surname = pc.if_else(_is(people.role, OUTSIDER), _surnames(draw, size), family)
    title = _choose(draw, TITLE, parties.pclass[people.party], people.group)
    father = _first_names(draw, MEN, count).take(people.party)
    man = pc.if_else(people.role == "H", father, _first_names(draw, MEN, size))
    woman = _first_names(draw, WOMEN, size)
    nickname = pc.if_else(draw.random(size) < NICKNAME_SHARE, _join(' "', _words(draw, NICKNAMES, size), '"'), "")
    own = pc.if_else(people.male, man, _join(woman, nickname))
    wife = _join(father, " (", woman, " ", _surnames(draw, size), ")")
    return _join(surname, ", ", title, ". ", pc.if_else(people.group == WED, wife, own))


def _surnames(draw: np.random.Generator, size: int) -> pa.Array:
    return _join(*(_words(draw, part, size) for part in (ONSETS, MIDDLES, ENDINGS)))


def _first_names(draw: np.random.Generator, names: str, size: int) -> pa.Array:
    """Return one name or two."""
    second = pc.if_else(draw.random(size) < SECOND_NAME_SHARE, _join(" ", _words(draw, names, size)), "")
    return _join(_words(draw, names, size), second)


def _words(draw: np.random.Generator, words: str, size: int) -> pa.Array:
    choice = words.split()
    return pa.array(choice).take(draw.integers(len(choice), size=size))
