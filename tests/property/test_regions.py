"""Laws of regions, over every list that there is: a region is found by whatever it is called, and only that one."""

import subprocess
import sys
import unicodedata

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunduan.domains.catalog.model import Place, Rate, Zone, in_one_form
from yunduan.kernel.regions import Region, Regions, has_list, region_of, regions_of

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
LISTED = [country for country in COUNTRIES if has_list(country)]
NAMES = [(land, region.code, name) for land in LISTED for region in regions_of(land).regions for name in (region.code, *region.names)]
SPELLINGS = {
    "spaces around": lambda name: f"  {name}\u3000",
    "upper case": str.upper,
    "lower case": str.lower,
    "wide letters": lambda name: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name),
    "wider spaces": lambda name: name.replace(" ", "\u00a0 "),
    "marks that do not show": "\u200b".join,
    "composed": lambda name: unicodedata.normalize("NFC", name),
    "decomposed": lambda name: unicodedata.normalize("NFD", name),
    "hyphens": lambda name: name.replace(" ", "-"),
}
OLIST = "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO"


def test_the_lists_are_those_of_the_countries_whose_post_asks_for_a_region() -> None:
    """Forty-eight of them; China's has 34 regions, Brazil's the 27 states that an import names."""
    assert len(LISTED) >= 47
    assert {"CN", "BR", "US", "JP", "CA"} < set(LISTED)
    assert {"DE", "GB", "FR", "XX", "ZZ"}.isdisjoint(LISTED)
    assert len(regions_of("CN").regions) == 34
    assert " ".join(sorted(region.code for region in regions_of("BR").regions)) == OLIST
    assert regions_of("XX") == Regions(country="XX", regions=())
    assert regions_of("CN").regions[29] == Region(code="西藏自治区", names=("西藏", "Xizang Zizhiqu", "Tibet"))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_region_is_found_by_every_name_however_it_is_spelt(spelling: str) -> None:
    """Over two thousand names in all the scripts of the lists; a code leads to itself."""
    assert len(NAMES) > 2_000
    wrong = [(country, code, name) for country, code, name in NAMES if region_of(country, SPELLINGS[spelling](name)) != code]
    assert wrong == []


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [
        ("CN", "西藏", "西藏自治区"),
        ("CN", "西藏省", "西藏自治区"),
        ("CN", "Xizang", "西藏自治区"),
        ("CN", "新疆", "新疆维吾尔自治区"),
        ("CN", "guangxi", "广西壮族自治区"),
        ("CN", "Inner Mongolia", "内蒙古自治区"),
        ("CN", "北京", "北京市"),
        ("CN", "Shanxi", "山西省"),
        ("CN", "Shaanxi", "陕西省"),
        ("CN", "香港特别行政区", "香港"),
        ("BR", "sp", "SP"),
        ("BR", "Sao Paulo", "SP"),
        ("BR", "SÃO PAULO", "SP"),
        ("US", "california", "CA"),
        ("CA", "Québec", "QC"),
        ("JP", "京都", "京都府"),
        ("JP", "東京", "東京都"),
        ("JP", "Osaka Prefecture", "大阪府"),
        ("JP", "北海道", "北海道"),
        ("TW", "臺北", "台北市"),
        ("TW", "新竹縣", "新竹縣"),
        ("TW", "新竹", None),
        ("KR", "서울", "서울특별시"),
        ("KR", "Gyeonggi", "경기도"),
        ("IE", "Dublin", "Co. Dublin"),
        ("HK", "九龍", "Kowloon"),
        ("CN", "西臧", None),
        ("CN", "Bayern", None),
        ("CN", "", None),
        ("CN", "省", None),
        ("BR", "São", None),
    ],
)
def test_what_people_write(country: str, text: str, code: str | None) -> None:
    """With and without the kind of region, in their own script or in Latin letters; what two regions are called is neither."""
    assert region_of(country, text) == code


@given(country=st.sampled_from(COUNTRIES), text=st.text(max_size=30))
def test_one_form_is_its_own_form(country: str, text: str) -> None:
    """Whatever is written: it has no form, or one, which is a code of the list where there is a list, and stays what it is."""
    form = region_of(country, text)
    if has_list(country):
        assert form is None or form in {region.code for region in regions_of(country).regions}
    assert form is None or region_of(country, form) == form


@given(text=st.text(max_size=30), space=st.sampled_from(" \u3000\u00a0\t"))
def test_without_a_list_what_looks_alike_is_one(text: str, space: str) -> None:
    """Spaces, and marks that do not show, make no difference."""
    form = region_of("GB", text)
    assert region_of("GB", "\u200b".join(text)) == form
    assert region_of("GB", f"{space}{text.replace(' ', space + ' ')}{space}") == form


@given(text=st.text(alphabet=st.characters(max_codepoint=0x24F), max_size=30))
def test_without_a_list_case_makes_no_difference(text: str) -> None:
    """In the scripts that have it."""
    assert region_of("GB", text.upper()) == region_of("GB", text.upper().lower())


@given(named=st.sampled_from(NAMES), spelling=st.sampled_from([*SPELLINGS.values()]), also=st.sampled_from([*SPELLINGS.values()]))
def test_a_buyer_and_a_shop_who_spell_it_differently_mean_one_zone(named: tuple[str, str, str], spelling: object, also: object) -> None:
    """What a template keeps is what an address is matched by."""
    country, code, name = named
    zone = Zone(places=(Place(country=country, region=spelling(name)),), rate=Rate(first_fee=5))  # type: ignore[operator]
    (kept,) = in_one_form((zone,))
    assert kept == Zone(places=(Place(country=country, region=code),), rate=Rate(first_fee=5))
    assert region_of(country, also(name)) == kept.places[0].region  # type: ignore[operator]


def test_a_start_reads_no_list() -> None:
    """China's alone takes longer than all else that a region costs; it is read when the first address is kept."""
    said = "import yunduan.cloud; from yunduan.kernel.regions import regions_of; print(regions_of.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, check=True, text=True).stdout == "0\n"
