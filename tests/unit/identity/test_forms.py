"""Address forms of countries, and addresses that were pasted as one text: read from the province down, and nothing of it kept."""

import pytest

from support.people import PHONE, People
from yunduan.domains.identity.forms import AddressForm, AddressFormOf, PastedAddress, PlaceChoice, ReadAddress
from yunduan.kernel.actors import ANONYMOUS
from yunduan.kernel.refusals import Refused


def form(people: People, country: str, region: str = "", city: str = "") -> AddressForm:
    """As anybody sees it."""
    return people.ask(AddressFormOf(country=country, region=region, city=city), actor=ANONYMOUS)


def read(people: People, text: str) -> PastedAddress:
    """What is found in a text."""
    return people.ask(ReadAddress(text=text), actor=people.signed_in(PHONE))


def test_china_goes_down_from_province_to_district_in_chinese_and_latin(people: People) -> None:
    """Each level when the one above is named, by whatever name; a place that is not known has none in it."""
    whole = {it.field: it for it in form(people, "CN", "浙江", "杭州").fields}
    assert list(whole) == ["postal_code", "region", "city", "district", "lines", "recipient", "phone"]
    assert [(name, it.kind, it.required, len(it.choices)) for name, it in whole.items()][:4] == [
        ("postal_code", "postal", False, 0),
        ("region", "province", True, 34),
        ("city", "city", True, 11),
        ("district", "district", False, 13),
    ]
    assert whole["region"].choices[-1] == PlaceChoice(name="浙江省", name_latin="Zhejiang Sheng")
    assert whole["district"].choices[0] == PlaceChoice(name="滨江区", name_latin="Binjiang Qu")
    by_latin = {it.field: len(it.choices) for it in form(people, "CN", "Zhejiang Sheng", "Hangzhou Shi").fields}
    assert (by_latin["city"], by_latin["district"]) == (11, 13)
    for region, city in (("", ""), ("江浙", "杭州"), ("", "杭州")):
        assert [len(it.choices) for it in form(people, "CN", region, city).fields] == [0, 34, 0, 0, 0, 0, 0]
    assert form(people, "CN").postal_pattern == r"\d{6}"


def test_each_country_has_its_own_order_and_words(people: People) -> None:
    """And what every address here has, whatever its country's form."""
    japan = form(people, "JP")
    assert [it.field for it in japan.fields] == ["postal_code", "region", "lines", "recipient", "phone", "city"]
    assert (japan.fields[1].kind, len(japan.fields[1].choices), japan.postal_example) == ("prefecture", 47, "154-0023")
    states = next(it for it in form(people, "US").fields if it.field == "region")
    assert (states.kind, states.required, len(states.choices)) == ("state", True, 62)
    assert [it.field for it in form(people, "DE").fields][:4] == ["recipient", "lines", "postal_code", "city"]
    with pytest.raises(Refused) as no:
        form(people, "XX")
    assert no.value.code.value == "country_unknown"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("王芳 13800138000 浙江省杭州市西湖区文三路1号", ("王芳", "13800138000", "浙江省", "杭州市", "西湖区", "文三路1号", "")),
        ("浙江杭州西湖区文三路1号，王芳，13800138000", ("王芳", "13800138000", "浙江省", "杭州市", "西湖区", "文三路1号", "")),
        ("杭州市西湖区文三路1号 王芳 13800138000", ("王芳", "13800138000", "浙江省", "杭州市", "西湖区", "文三路1号", "")),
        (
            "收货人：王芳\n手机号码：138 0013 8000\n所在地区：上海市浦东新区\n详细地址：世纪大道100号 12楼",
            ("王芳", "13800138000", "上海市", "上海市", "浦东新区", "世纪大道100号12楼", ""),
        ),
        (
            "上海市上海市徐汇区漕溪北路18号 李雷(收) +86 139-0013-9000",
            ("李雷", "13900139000", "上海市", "上海市", "徐汇区", "漕溪北路18号", ""),
        ),
        ("北京海淀区中关村大街27号 Li Lei 15012345678", ("Li Lei", "15012345678", "北京市", "北京市", "海淀区", "中关村大街27号", "")),
        (
            "陈晨,0571-88157788,杭州市临平区南苑街道1号,311100",
            ("陈晨", "0571-88157788", "浙江省", "杭州市", "临平区", "南苑街道1号", "311100"),
        ),
        (
            "内蒙古自治区锡林郭勒盟锡林浩特市额尔敦路5号 巴特尔 13612345678",
            ("巴特尔", "13612345678", "内蒙古自治区", "锡林郭勒盟", "锡林浩特市", "额尔敦路5号", ""),
        ),
        ("台湾省台北市信义区市府路1号 林美 13800138000", ("林美", "13800138000", "台湾", "台北市", "信义区", "市府路1号", "")),
    ],
)
def test_a_pasted_address_is_read(people: People, text: str, found: tuple[str, ...]) -> None:
    """Name and telephone before or after, with labels or without, a province left out, a district that is younger than the data."""
    it = read(people, text)
    assert (it.recipient, it.phone, it.region, it.city, it.district, it.line, it.postal_code) == found
    assert it.missing == ()


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("hello", ("recipient", "phone", "region", "city")),
        ("浙江省杭州市文三路1号王芳", ("recipient", "phone")),
        ("13800138000", ("recipient", "region", "city", "line")),
        ("\x00\n\t，，，", ("recipient", "phone", "region", "city")),
        ("省市区县" * 75, ("recipient", "phone", "region", "city")),
    ],
)
def test_what_is_not_found_is_named(people: People, text: str, missing: tuple[str, ...]) -> None:
    """And nothing is made up: whoever pasted it fills in the rest."""
    assert read(people, text).missing == missing
