"""When the samples of one person were taken: the order of visits, and the two of a person that are compared."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.data.cohort import Cohort
from exoclassify.data.guessing import LABELS
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError, InputError, first_three
from exoclassify.tables.ids import counted
from exoclassify.tables.wide import plain_name

__all__ = [
    "before_and_after",
    "check_dates",
    "check_one_each",
    "in_order",
    "named_visits",
    "two_visits",
    "visit_column",
]

_FIRST = "pre|before|baseline|base|bl|screening|intake|admission|pretreatment|start"
_DURING = "during|mid|interim|on"
_LAST = "post|after|followup|fu|posttreatment|end|discharge|final"
_WORDS = tuple(re.compile(rf"(?:{words})(\d*)") for words in (_FIRST, _DURING, _LAST))
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_DAYS = {"hour": 1 / 24, "h": 1 / 24, "day": 1.0, "d": 1.0, "week": 7.0, "w": 7.0, "wk": 7.0, "month": 30.4, "m": 30.4,
         "mo": 30.4, "year": 365.25, "y": 365.25, "yr": 365.25}  # fmt: skip
_DATES = (
    "date",
    "visitdate",
    "samplingdate",
    "collectiondate",
    "datecollected",
    "collectedon",
    "sampledate",
    "drawdate",
)
_NUMBERED = re.compile(r"([a-z]*?)s?[\s_.-]*([+-]?\d+(?:\.\d+)?)[\s_.-]*([a-z]*?)s?")

_Place = tuple[str, float]
"""What kind of order a name belongs to, and where in it."""


def in_order(visits: Sequence[str], source: str, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Put the names of visits in the order of time.

    Parameters
    ----------
    given : sequence of str
        The order, first to last, where the names do not tell it.

    Examples
    --------
    >>> in_order(["week 12", "baseline", "week 4"], "samples.csv")
    ('baseline', 'week 4', 'week 12')
    """
    names = list(dict.fromkeys(visits))
    if given:
        lacking = [name for name in names if name not in given]
        if lacking or len(set(given)) < len(given):
            raise InputError(
                f"{source}: the order given is {', '.join(given)}; name each of {', '.join(names)} once in it"
            )
        return tuple(name for name in given if name in names)
    for read in (_as_number, _as_date, _as_letter, _as_words):
        places = [read(name) for name in names]
        if None not in places and len(found := dict(zip(places, names, strict=True))) == len(names):
            scales = {place[0] for place in found if place} - {"first"}
            if len(scales) <= 1:
                return tuple(name for _, name in sorted((place[1], name) for place, name in found.items() if place))
    raise InputError(
        f"{source}: the visits {first_three(names)} tell no order in time; give it, as in --order {','.join(names)}"
    )


def _as_number(name: str) -> _Place | None:
    try:
        value = float(name)
    except ValueError:
        return None
    return ("number", value) if np.isfinite(value) else None


def _as_date(name: str) -> _Place | None:
    """Read ISO dates and 31.12.2026; 03/04/2026 is two dates, and none."""
    german = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", name.strip())
    try:
        if german:
            day, month, year = map(int, german.groups())
            return "date", float(datetime.date(year, month, day).toordinal())
        moment = datetime.datetime.fromisoformat(name.strip())
    except ValueError:
        return None
    return "date", moment.toordinal() + (moment.hour * 60 + moment.minute) / 1440


def _as_letter(name: str) -> _Place | None:
    return ("letter", float(ord(name.upper()))) if len(name) == 1 and name.isalpha() else None


def _as_words(name: str) -> _Place | None:
    """Read before and after, ordinals, T1, visit 2, week 4, 6 months; what comes first goes with any of them."""
    text = name.casefold().strip()
    plain = plain_name(text)
    for at, words in enumerate(_WORDS):
        if found := words.fullmatch(plain):
            number = float(found[1] or 0)
            return ("first", number - 1e9) if at == 0 else ("words", 1e6 * at + number)
    if text in _ORDINALS:
        return "ordinal", float(_ORDINALS.index(text))
    found = _NUMBERED.fullmatch(text)
    if found is None:
        return None
    before, number, after = found[1], float(found[2]), found[3]
    for unit in {before, after} & set(_DAYS):
        if not (before and after):
            return "days", number * _DAYS[unit]
    return f"{before} {after}", number


def named_visits(sheet: SampleSheet) -> NDArray[np.str_]:
    """Give the visit of each sample, shape (n_samples,); "" where the cell is blank."""
    if sheet.subject_column is None:
        raise DesignError(
            f"{sheet.source}: visits are compared within a person; name the column of persons with --subject"
        )
    return sheet.frame[visit_column(sheet)].fillna("").to_numpy(dtype=np.str_)


def visit_column(sheet: SampleSheet) -> str:
    """Give the column of visits: that of times, else that of labels, where a model or a test is of the visits themselves."""
    column = sheet.time_column or sheet.label_column
    if column is None:
        raise DesignError(f"{sheet.source}: no column of visits is named; name it with --visit")
    return column


def check_one_each(sheet: SampleSheet, persons: Sequence[str], visits: Sequence[str]) -> None:
    """Refuse a person with two samples at one visit.

    Parameters
    ----------
    persons, visits : sequence of str
        Of each sample of the sheet; a blank visit counts for none.
    """
    seen = pd.DataFrame({"person": list(persons), "visit": list(visits), "sample": sheet.sample_ids})
    seen = seen[seen["visit"] != ""]
    twice = seen[seen.duplicated(["person", "visit"], keep=False)]
    if len(twice):
        person, visit = twice.iloc[0][["person", "visit"]]
        ids = twice[(twice["person"] == person) & (twice["visit"] == visit)]["sample"]
        others = twice["person"].nunique() - 1
        more = f" (and so {counted(others, 'other persons', 'has', 'have')})" if others else ""
        raise InputError(
            f"{sheet.source}: {person} has {len(ids)} samples at visit {visit} ({first_three(ids)}){more}; keep one of them "
            f"(leave column {visit_column(sheet)} blank for the others), or give each a visit of its own"
        )


def check_dates(sheet: SampleSheet, order: Sequence[str]) -> None:
    """Refuse visits that a column of dates puts in another order.

    Parameters
    ----------
    sheet : SampleSheet
        With columns of persons and visits; without a column called date there is nothing to check.
    """
    named = [c for c in sheet.frame.columns if plain_name(str(c)) in _DATES and c != visit_column(sheet)]
    if not named:
        return
    frame = pd.DataFrame(
        {"person": sheet.subject, "visit": named_visits(sheet), "date": sheet.frame[named[0]].to_numpy()}
    )
    frame = frame[frame["visit"].isin(order) & frame["date"].notna()]
    places = [_as_date(str(date)) for date in frame["date"]]
    if None in places:
        return
    frame = frame.assign(day=[place[1] for place in places if place], at=[order.index(v) for v in frame["visit"]])
    frame = frame.sort_values(["person", "at"], kind="stable")
    last = frame.shift()
    back = (frame["person"] == last["person"]) & (frame["day"] < last["day"])
    if back.any():
        wrong, earlier = frame[back].iloc[0], last[back].iloc[0]
        raise InputError(
            f"{sheet.source}: visits of {counted(frame[back]['person'].nunique(), 'persons', 'are', 'are')} out of order: "
            f"{wrong['person']}'s visit {wrong['visit']} ({wrong['date']}) is dated before its visit {earlier['visit']} "
            f"({earlier['date']}); correct column {visit_column(sheet)} or {named[0]}"
        )


def before_and_after(cohort: Cohort, between: Sequence[str] = ()) -> tuple[Cohort, tuple[str, str]]:
    """Keep the two samples of every person that was seen at both of two visits; the visits become the labels.

    Parameters
    ----------
    between : sequence of str
        The earlier visit and the later one; may be left out where there are two whose names tell their order.

    Returns
    -------
    cohort : Cohort
        Its states are the two visits, and columns of other states are gone; who was left out is in its notes.
    """
    sheet, visits = cohort.sheet, named_visits(cohort.sheet)
    earlier, later = two_visits(visits.tolist(), f"{sheet.source}, column {visit_column(sheet)}", between)
    kept = np.isin(visits, (earlier, later))
    part, persons = cohort.take(kept), cohort.groups[kept]
    check_one_each(part.sheet, persons.tolist(), visits[kept].tolist())
    check_dates(part.sheet, (earlier, later))
    both = np.bincount(codes := np.unique(persons, return_inverse=True)[1])[codes] == 2
    alone = list(dict.fromkeys(persons[~both].tolist()))
    notes = (
        (f"left out, for they lack one of the two visits: {len(alone)} persons ({first_three(alone)})",)
        if alone
        else ()
    )
    if not both.any():
        raise InputError(
            f"{sheet.source}: no person has both visit {earlier} and visit {later}; check columns {sheet.subject_column} and "
            f"{visit_column(sheet)}"
        )
    pairs = part.take(both)
    column = visit_column(sheet)
    states = [
        c for c in sheet.frame.columns if c != column and (c == sheet.label_column or plain_name(str(c)) in LABELS)
    ]
    frame = pairs.sheet.frame.drop(columns=states)  # what is studied, and no trap where it changes with the visit
    labelled = dataclasses.replace(pairs.sheet, frame=frame, label_column=column, time_column=None)
    return dataclasses.replace(pairs, sheet=labelled, notes=(*pairs.notes, *notes)), (earlier, later)


def two_visits(visits: Sequence[str], where: str, between: Sequence[str]) -> tuple[str, str]:
    """Say which two visits are compared, the earlier one first.

    Parameters
    ----------
    between : sequence of str
        The two; told by their names if empty and there are two.
    """
    names = [name for name in dict.fromkeys(visits) if name]
    if not between:
        if len(names) != 2:
            raise InputError(
                f"{where}: it has {len(names)} visits ({first_three(names)}); name the two to compare with --between"
            )
        first, second = in_order(names, where)
        return first, second
    unknown = [name for name in between if name not in names]
    if unknown or len(set(between)) != 2 or len(between) != 2:
        found = f"there is no visit {unknown[0]}" if unknown else f"{', '.join(between)} are not two visits"
        raise InputError(f"{where}: {found}; it has {', '.join(names)}; write --between EARLIER,LATER")
    return between[0], between[1]
