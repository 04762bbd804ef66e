"""Makes the population of the synthetic city on its first day: ages by each ward's pyramid, then households.

Every step is vectorised over a ward: married women and men are paired by age, children choose a mother of a fitting
age, some old people join a child's household, the rest live alone or with a lodger.
"""

from __future__ import annotations

import numpy as np

from kobe_platform.synthesis.city import CHILD, ELDER, FEMALE, MALE, NONE, OTHER, PARTNER, RESIDENT, City, Households
from kobe_platform.synthesis.city import Residents as People
from kobe_platform.synthesis.foreigners import date_stays, draw_nationalities, draw_statuses, nationalities
from kobe_platform.synthesis.geography import Geography, build_geography
from kobe_platform.synthesis.parameters import Families, Parameters, Ward, load

SURNAMES, GIVEN_NAMES = 600, 450
"""How many names of each kind :mod:`identifiers` makes up."""


def found_city(residents: int, month: np.datetime64, seed: int = 0, parameters: Parameters | None = None) -> City:
    """A city of about ``residents`` people (exactly, by largest remainder over wards) at the end of ``month``."""
    parameters = parameters or load()
    rng = np.random.default_rng([seed, 1])
    geography = build_geography(parameters, residents, rng)
    names, _ = nationalities(parameters.foreigners)
    counterparts = counterpart_codes(parameters)
    city = City(parameters, geography, nobody(), no_households(), month, seed, names, counterparts)
    for index, count in enumerate(ward_populations(parameters, residents)):
        _settle_ward(city, index, count, rng)
    protect(city, city.stock, parameters.city.protected_share, rng)
    return city


def ward_populations(parameters: Parameters, residents: int) -> list[int]:
    """Residents of each ward; they sum to ``residents``."""
    shares = np.array([ward.share for ward in parameters.wards])
    bounds = np.round(np.cumsum(shares) / shares.sum() * residents).astype(int)
    return np.diff(bounds, prepend=0).tolist()


def counterpart_codes(parameters: Parameters) -> tuple[str, ...]:
    """All codes of 転入前住所 and 相手地域: municipalities, then ``Z`` + alpha-3 for each country."""
    names, _ = nationalities(parameters.foreigners)
    countries = [*parameters.counterparts.countries, *names]
    return (*parameters.counterparts.codes, *dict.fromkeys("Z" + country for country in countries))


def nobody() -> People:
    """An empty register with the right types."""
    i32, i8, i16 = np.int32, np.int8, np.int16
    kinds = (i32, i8, i32, i8, bool, i8, i32, bool, i32, i32, i32, i32, i32, i32, i32, i8, i16, i16)
    return People(*(np.zeros(0, dtype=kind) for kind in kinds))


def no_households() -> Households:
    """An empty list of households with the right types."""
    return Households(*(np.zeros(0, dtype=kind) for kind in (np.int32, np.int16, np.int16, bool)))


def new_people(household: np.ndarray, sex: np.ndarray, birth: np.ndarray, role: np.ndarray, head: np.ndarray) -> People:
    """People who live here, with blanks for what is not known yet (all of the length of ``household``)."""
    n = len(household)
    blank = np.full(n, NONE, dtype=np.int32)
    return People(
        household=household.astype(np.int32),
        sex=sex.astype(np.int8),
        birth=birth.astype(np.int32),
        role=role.astype(np.int8),
        head=head.astype(bool),
        state=np.full(n, RESIDENT, dtype=np.int8),
        history=np.ones(n, dtype=np.int32),
        foreign=np.zeros(n, dtype=bool),
        nationality=blank,
        status=blank.copy(),
        became=blank.copy(),
        moved_in=blank.copy(),
        foreign_since=blank.copy(),
        stay_expiry=blank.copy(),
        previous=blank.copy(),
        protection=np.zeros(n, dtype=np.int8),
        surname=np.zeros(n, dtype=np.int16),
        given=np.zeros(n, dtype=np.int16),
    )


def draw_names(people: People, rng: np.random.Generator) -> None:
    """A surname for each household, a given name for each person (indices into the made-up lists)."""
    homes, inverse = np.unique(people.household, return_inverse=True)
    people.surname = (SURNAMES * rng.random(len(homes)) ** 1.6).astype(np.int16)[inverse]
    people.given = rng.integers(0, GIVEN_NAMES, len(people), dtype=np.int16)


def draw_counterparts(
    parameters: Parameters, abroad: np.ndarray, nationality: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw where each comes from or goes to (index into :func:`counterpart_codes`); abroad, mostly the own country."""
    codes = {code: index for index, code in enumerate(counterpart_codes(parameters))}
    table = parameters.counterparts
    share = np.cumsum(table.weights)
    drawn = np.searchsorted(share / share[-1], rng.random(len(abroad)), side="right").astype(np.int32)
    share = np.cumsum(table.country_weights)
    countries = np.array([codes["Z" + country] for country in table.countries])
    elsewhere = countries[np.searchsorted(share / share[-1], rng.random(len(abroad)), side="right")]
    names, _ = nationalities(parameters.foreigners)
    own = np.array([codes["Z" + name] for name in names])[np.maximum(nationality, 0)]
    home = (nationality != NONE) & (rng.random(len(abroad)) < 0.9)
    return np.where(abroad, np.where(home, own, elsewhere), drawn).astype(np.int32)


def one_for_group(values: np.ndarray, group: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """The value of each group's last member for all its members of the same ``kind``."""
    shared = np.full((int(group.max(initial=-1)) + 1, 2), -1, dtype=np.int32)
    shared[group, kind.astype(int)] = values
    return shared[group, kind.astype(int)]


def protect(city: City, people: np.ndarray, share: float, rng: np.random.Generator) -> None:
    """Put about ``share`` of ``people`` under 支援措置: mothers with their children, or one adult alone."""
    residents = city.residents
    age = residents.age_on(city.last_day, people)
    women = people[(age >= 18) & (age < 70) & (residents.sex[people] == FEMALE)]
    if not len(women):
        return
    chosen = rng.choice(women, min(len(women), max(1, round(len(people) * share / 1.38))), replace=False)
    flag = np.where(rng.random(len(chosen)) < 0.15, 2, np.where(rng.random(len(chosen)) < 0.1, 3, 1)).astype(np.int8)
    residents.protection[chosen] = flag
    flag_of = dict(zip(residents.household[chosen].tolist(), flag.tolist(), strict=True))
    children = people[np.isin(residents.household[people], residents.household[chosen]) & (age < 18)]
    residents.protection[children] = [flag_of[home] for home in residents.household[children].tolist()]


def _settle_ward(city: City, index: int, count: int, rng: np.random.Generator) -> None:
    """Append one ward's people and households to the city."""
    ward, families = city.parameters.wards[index], city.parameters.families
    age, sex = _ages(city.parameters, ward, count, rng)
    home, role, head = _form_households(age, sex, families, ward.family, rng)
    homes, home = np.unique(home, return_inverse=True)
    first = len(city.households)
    city.households.found(*place(city.geography, np.full(len(homes), index), city.parameters, rng))
    birth = city.last_day + 1 - _days_lived(age, rng)
    people = new_people(home + first, sex, birth, role, head)
    _make_foreign(city, ward, people, age, rng)
    _date_arrival(city, people, rng)
    draw_names(people, rng)
    order = np.lexsort((people.birth, ~people.head, people.household))
    for name, values in vars(people).items():
        setattr(people, name, values[order])
    city.residents.extend(people)


def place(geography: Geography, wards: np.ndarray, parameters: Parameters, rng: np.random.Generator) -> tuple:
    """Plot, 番地, 号 and whether 小学校区 is blank, for new households of ``wards`` (ward indices)."""
    plots, lots, subs = geography.settle(wards, rng)
    blank = rng.random(len(wards)) < parameters.city.blank_district_share
    return plots, lots, subs, blank | (geography.plot_district[plots] < 0)


def _days_lived(age: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.floor(age * 365.25).astype(np.int32) + 1 + rng.integers(0, 365, len(age), dtype=np.int32)


def _ages(parameters: Parameters, ward: Ward, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ages and sexes of a ward: its shares met as exactly as whole people can."""
    men = round(count * ward.male)
    ages = []
    for sex, n in (("male", men), ("female", count - men)):
        share = np.cumsum(parameters.age_shares(ward, sex))
        quantile = (np.arange(n) + rng.random(n)) / max(n, 1)
        ages.append(np.searchsorted(share, quantile * 0.999_999_9, side="right"))
    sexes = np.repeat([MALE, FEMALE], [men, count - men])
    shuffled = rng.permutation(count)
    return np.concatenate(ages)[shuffled].astype(np.int16), sexes[shuffled].astype(np.int8)


def _form_households(
    age: np.ndarray, sex: np.ndarray, families: Families, tendency: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Household label, generation and head of each person of a ward; ``tendency`` multiplies chances of family life."""
    n = len(age)
    adult = age >= 18
    chance = np.where(
        sex == MALE,
        np.interp(age, families.married_ages, families.married_male),
        np.interp(age, families.married_ages, families.married_female),
    )
    married = adult & (rng.random(n) < chance * tendency)
    at_home = adult & ~married & (rng.random(n) < np.interp(age, families.at_home_ages, families.at_home) * tendency)
    home = np.arange(n)
    role = np.full(n, PARTNER, dtype=np.int8)
    head = np.ones(n, dtype=bool)
    wives, husbands = _pair(
        np.flatnonzero(married & (sex == FEMALE)), np.flatnonzero(married & (sex == MALE)), age, families, rng
    )
    home[wives] = home[husbands]
    wife_is_head = rng.random(len(wives)) < 0.07
    head[wives], head[husbands] = wife_is_head, ~wife_is_head
    coupled = np.zeros(n, dtype=bool)
    coupled[wives] = coupled[husbands] = True
    children = np.flatnonzero(~adult | at_home)
    free = np.flatnonzero(adult & ~coupled & ~at_home)
    lone = np.where(sex[free] == FEMALE, families.lone_mother, families.lone_father)
    parents = np.concatenate([wives, free[rng.random(len(free)) < lone]])
    wanted = age[children] + rng.normal(families.mother_age_mean, families.mother_age_spread, len(children))
    wanted = np.clip(wanted, age[children] + 17, age[children] + 46)
    chosen = _choose_by_age(parents, age, wanted, rng)
    home[children], role[children], head[children] = home[chosen], CHILD, False
    _join_elders(home, role, head, age, sex, np.setdiff1d(free, chosen), chosen, families, rng)
    lodgers = np.setdiff1d(free, chosen)
    lodgers = lodgers[(role[lodgers] == PARTNER) & (rng.random(len(lodgers)) < families.lodger)]
    hosts = np.setdiff1d(free[role[free] == PARTNER], lodgers)
    if len(hosts):
        home[lodgers], role[lodgers], head[lodgers] = home[rng.choice(hosts, len(lodgers))], OTHER, False
    return home, role, head


def _pair(wives, husbands, age, families: Families, rng) -> tuple[np.ndarray, np.ndarray]:
    """As many couples as the smaller side allows, paired by age."""
    couples = min(len(wives), len(husbands))
    wives, husbands = rng.permutation(wives)[:couples], rng.permutation(husbands)[:couples]
    hers = age[wives] + rng.normal(0, 1.5, couples)
    his = age[husbands] - families.husband_older_by + rng.normal(0, 2.0, couples)
    return wives[np.argsort(hers)], husbands[np.argsort(his)]


def _choose_by_age(candidates: np.ndarray, age: np.ndarray, wanted: np.ndarray, rng) -> np.ndarray:
    """A candidate for each wanted age: one of that age, else the nearest older one (or the oldest)."""
    order = candidates[np.argsort(age[candidates], kind="stable")]
    years = np.floor(wanted)
    low = np.searchsorted(age[order], years, side="left")
    high = np.maximum(np.searchsorted(age[order], years, side="right"), low + 1)
    index = low + (rng.random(len(wanted)) * (high - low)).astype(np.int64)
    return order[np.minimum(index, len(order) - 1)]


def _join_elders(home, role, head, age, sex, free, parents, families: Families, rng) -> None:
    """Move some people of 70 and more who live alone into a child's family, some of them as its head."""
    old = free[age[free] >= 70]
    old = old[rng.random(len(old)) < families.elder_with_family]
    mothers = np.unique(parents)
    if not len(old) or not len(mothers):
        return
    chosen = _choose_by_age(mothers, age, np.maximum(age[old] - rng.normal(30, 5, len(old)), 20), rng)
    chosen, first = np.unique(chosen, return_index=True)
    old = old[first]
    fitting = age[old] - age[chosen] >= 17
    old, chosen = old[fitting], chosen[fitting]
    home[old], role[old] = home[chosen], ELDER
    leads = rng.random(len(old)) < families.elder_is_head
    head[old] = leads
    led = home[old[leads]]
    head[np.isin(home, led) & (role != ELDER)] = False


def _make_foreign(city: City, ward: Ward, people: People, age: np.ndarray, rng: np.random.Generator) -> None:
    """Make whole households foreign until the ward's share is met, young singles most; some couples stay mixed."""
    heads = np.flatnonzero(people.head)
    size = np.bincount(people.household)[people.household[heads]]
    youth = np.interp(age[heads], [15, 20, 25, 35, 50, 70, 90], [0.4, 3.2, 3.0, 1.8, 0.8, 0.5, 0.3])
    weight = youth * np.where(size == 1, 1.3, 0.8)
    chance = weight * len(people) * ward.foreign * 1.04 / max((weight * size).sum(), 1e-9)
    chosen = heads[rng.random(len(heads)) < chance]
    nation = np.full(int(people.household.max()) + 1, NONE, dtype=np.int32)
    nation[people.household[chosen]] = draw_nationalities(city.parameters.foreigners, age[chosen], rng)
    mixed = np.zeros(len(nation), dtype=bool)
    mixed[people.household[chosen]] = rng.random(len(chosen)) < 0.15
    foreign = nation[people.household] != NONE
    foreign &= ~(mixed[people.household] & ((people.role == CHILD) | ~people.head & (people.role == PARTNER)))
    people.foreign = foreign
    people.nationality = np.where(foreign, nation[people.household], NONE).astype(np.int32)
    some = np.flatnonzero(foreign)
    people.status[some] = draw_statuses(city.parameters.foreigners, people.nationality[some], age[some], rng)


def _date_arrival(city: City, people: People, rng: np.random.Generator) -> None:
    """Draw when each household came to the city and to its address, from where, and since when foreigners live here."""
    day = city.last_day
    homes = int(people.household.max()) + 1
    arrived = day - rng.gamma(1.3, 4_200, homes).astype(np.int32)
    arrived = np.where(rng.random(homes) < 0.08, day - rng.integers(0, 365, homes), arrived)
    settled = day - ((day - arrived) * rng.beta(1.2, 1.0, homes)).astype(np.int32)
    native = (people.birth >= arrived[people.household]) | (rng.random(len(people)) < 0.3)
    native &= ~people.foreign | (people.birth >= arrived[people.household])
    people.became = np.where(native, people.birth, arrived[people.household]).astype(np.int32)
    people.moved_in = np.maximum(people.became, settled[people.household]).astype(np.int32)
    abroad = np.where(people.foreign, rng.random(homes)[people.household] < 0.6, False)
    came_from = draw_counterparts(city.parameters, abroad, people.nationality, rng)
    one_for_all = np.full(homes, NONE, dtype=np.int32)
    one_for_all[people.household] = came_from
    shared = np.where(abroad, came_from, one_for_all[people.household])
    people.previous = np.where(native, NONE, shared).astype(np.int32)
    foreign = np.flatnonzero(people.foreign)
    date_stays(people, foreign, day, rng)
    people.became[foreign] = np.minimum(people.became[foreign], people.foreign_since[foreign])
    people.history = (1 + rng.geometric(0.45, len(people))).astype(np.int32)
