"""Finding: in ten languages, misspelt, written by ear, run together; and not finding too much."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codes import SERVICES
from directory import taxonomies
from directory.search.index import Document, Index, bitset, build, rows_of
from directory.search.query import Query, Results, find
from directory.search.spelling import deletions, within_one

NAMES = {
    "my": ("Rumah Harapan Tenaganita", "Pertubuhan Tenaganita", "Selangor"),
    "id": ("Rumah Aman Pelita", "Yayasan Pelita", "Jawa Barat"),
    "bd": ("শাপলা আশ্রয়", "Shapla Samity", "Dhaka"),
    "cn": ("明日之家", "明日妇女中心", "昆明"),
    "lk": ("සහන නිවස", "Sahana Sarana", "Colombo"),
    "th": ("บ้านแสงตะวัน", "Saeng Tawan", "กรุงเทพมหานคร"),
    "vn": ("Mái ấm Hoa Sen", "Hoa Sen", "Hà Nội"),
    "pk": ("امید گھر", "Umeed Trust", "کراچی"),
}
LANGUAGES = {
    "my": "msa",
    "id": "ind",
    "bd": "ben",
    "cn": "zho",
    "lk": "sin",
    "th": "tha",
    "vn": "vie",
    "pk": "urd",
}


def document(row: int, country: str, service: str) -> Document:
    name, organisation, place = NAMES[country]
    return Document(
        service_id=f"{country}-{service}",
        organisation_id=country,
        last_modified=row,
        names=(name,),
        organisation_names=(organisation,),
        places=(place,),
        about=("A fictional service.",),
        codes={
            "country": (country,),
            "service": (service,),
            "language": (LANGUAGES[country],),
            "population": ("women",),
            "availability": (),
            "organisation_kind": ("ngo",),
        },
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    pairs = [(country, service) for country in NAMES for service in SERVICES]
    documents = [document(row, *pair) for row, pair in enumerate(pairs)]
    path = tmp_path_factory.mktemp("index") / "index.db"
    build(path, documents, generation=1)
    return Index(path)


def ids(results: Results) -> set[str]:
    return {hit.service_id for hit in results.hits}


def search(index: Index, text: str, country: str | None = None) -> Results:
    return find(index, Query(text=text, country=country, per_page=100))


@pytest.mark.parametrize("language", taxonomies.INTERFACE_LANGUAGES)
def test_every_label_in_every_language_finds_every_service_of_its_kind(
    index: Index, language: str
) -> None:
    for code in SERVICES:
        for word in taxonomies.taxonomy("service").terms[code][language]:
            found = ids(search(index, word))
            assert {f"{country}-{code}" for country in NAMES} <= found, (language, word)


@pytest.mark.parametrize("text", ["tempat perlindungan", "আশ্রয়কেন্দ্র", "收容所"])
def test_the_words_for_shelter_find_shelters_before_all_else(index: Index, text: str) -> None:
    best = search(index, text).hits[: len(NAMES)]
    assert {hit.service_id for hit in best} == {f"{country}-shelter" for country in NAMES}
    assert {hit.reason.kind for hit in best} == {"service"}
    assert {hit.reason.code for hit in best} == {"shelter"}


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("Tenaganita", "my"),
        ("tenaga nita", "my"),
        ("TENAGA-NITA", "my"),
        ("tenagganitha", "my"),
        ("tenagnita", "my"),
        ("teanganita", "my"),
        ("saengtawan", "th"),
        ("saeng tawan", "th"),
        ("แสงตะวัน", "th"),
        ("กรุงเทพ", "th"),
        ("hoa sen", "vn"),
        ("hoasen", "vn"),
        ("ha noi", "vn"),
        ("shap", "bd"),
        ("শাপলা", "bd"),
        ("শাপলার", "bd"),
        ("明日", "cn"),
        ("妇女中心", "cn"),
        ("昆", "cn"),
        ("كراچي", "pk"),
        ("සහන", "lk"),
    ],
)
def test_a_name_or_place_is_found_however_it_is_typed(
    index: Index, text: str, country: str
) -> None:
    found = search(index, text)
    assert {hit.service_id[:2] for hit in found.hits} == {country}
    assert found.total == len(SERVICES)
    assert found.set_aside == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shelter bangladesh", {"bd-shelter"}),
        ("women's shelter in Dhaka", {"bd-shelter"}),
        ("泰国收容所", {"th-shelter"}),
        ("ที่พักพิงกรุงเทพ", {"th-shelter"}),
        ("bantuan guaman pakistan", {"pk-legal_aid"}),
        ("ঢাকা আশ্রয়কেন্দ্র বাংলা", {"bd-shelter"}),
    ],
)
def test_all_words_must_fit(index: Index, text: str, expected: set[str]) -> None:
    assert expected <= ids(search(index, text))
    assert {one[:2] for one in ids(search(index, text))} == {one[:2] for one in expected}


def test_a_word_that_fits_nothing_is_set_aside_and_told(index: Index) -> None:
    with_noise = search(index, "shelter qwrtzpsdfg")
    assert ids(with_noise) == ids(search(index, "shelter"))
    assert with_noise.set_aside == ("qwrtzpsdfg",)


@pytest.mark.parametrize("text", ["qwrtzpsdfg", "龘龘龘", "ฎฏฐฑฒณฎฏฐฑ", "“”—…"])
def test_nonsense_finds_nothing(index: Index, text: str) -> None:
    found = search(index, text)
    assert found.total == (0 if any(map(str.isalpha, text)) else index.size)


def test_a_misspelt_label_is_found_and_said_to_be_nearly_it(index: Index) -> None:
    best = search(index, "sheltar").hits[0]
    assert best.service_id.endswith("-shelter")
    assert best.reason.nearly


def test_facets_count_what_was_found_and_not_more(index: Index) -> None:
    found = search(index, "shelter", country="bd")
    counted: dict[str, int] = {}
    for one in ids(found):
        code = one.partition("-")[2]
        counted[code] = counted.get(code, 0) + 1
    assert found.facets["country"] == {"bd": found.total}
    assert found.facets["service"] == counted
    assert found.facets["language"] == {"ben": found.total}


@given(
    st.integers(1, 12), st.sampled_from(["", "shelter", "hotline", "women", "tenaganita", "明日"])
)
@settings(deadline=None)
def test_the_pages_together_are_the_whole_and_nothing_twice(
    index: Index, per_page: int, text: str
) -> None:
    total = find(index, Query(text=text)).total
    seen: list[str] = []
    for page in range(1, -(-total // per_page) + 1):
        results = find(index, Query(text=text, page=page, per_page=per_page))
        assert results.total == total
        seen += [hit.service_id for hit in results.hits]
    assert len(seen) == len(set(seen)) == total
    assert find(index, Query(text=text, page=10_000, per_page=per_page)).hits == ()


@given(st.text(max_size=60))
@settings(deadline=None)
def test_no_text_breaks_a_search(index: Index, text: str) -> None:
    results = search(index, text)
    assert 0 <= len(results.hits) <= results.total <= index.size


@given(st.text(st.sampled_from('"*(){}:^-+ANDORNOTNEAR'), max_size=40))
@settings(deadline=None)
def test_the_index_languages_own_operators_are_only_text(index: Index, text: str) -> None:
    search(index, text)


def test_the_query_does_not_show_its_text_when_printed() -> None:
    assert "canary" not in repr(Query(text="canary"))


@given(st.sets(st.integers(0, 700)))
def test_a_bitset_holds_what_was_put_in(rows: set[int]) -> None:
    assert list(rows_of(bitset(rows, 701))) == sorted(rows)


WORDS = st.text("abcde", min_size=1, max_size=8)


@given(WORDS, WORDS)
def test_words_one_slip_apart_share_a_form(first: str, second: str) -> None:
    assert within_one(first, second) == within_one(second, first)
    if within_one(first, second):
        assert set(deletions(first)) & set(deletions(second))


@given(WORDS, st.data())
def test_one_slip_is_forgiven_and_two_are_not(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(word) - 1))
    slips: Sequence[str] = (
        word[:place] + word[place + 1 :],
        word[:place] + "z" + word[place:],
        word[:place] + "z" + word[place + 1 :],
        word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
    )
    assert all(within_one(word, slip) for slip in slips)
    assert not within_one(word, f"z{word}z")
