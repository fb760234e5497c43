"""Laws of identity's pure decisions."""

from hypothesis import given
from hypothesis import strategies as st

from yunduan.domains.identity.model import (
    CONTACT_WINDOWS,
    COUNTRIES,
    RESERVE_WINDOWS,
    SPANS_MS,
    TRIES_MAX,
    ContactKind,
    Held,
    OperatorRole,
    ShopRole,
    Used,
    Window,
    again_at,
    contact_of,
    counted,
    counted_until,
    masked,
    may_change_role,
    origin_of,
    phone_of,
)
from yunduan.kernel.refusals import Refused

_windows = st.lists(st.builds(Window, st.integers(1, 5), st.integers(1, 50)), min_size=1, max_size=3).map(tuple)
_held = st.frozensets(
    st.one_of(
        st.builds(Held, st.just(""), st.sampled_from([str(role) for role in OperatorRole])),
        st.builds(Held, st.sampled_from(["shp_1", "shp_2"]), st.sampled_from([str(role) for role in ShopRole])),
    ),
    max_size=4,
)


@given(windows=_windows, waits=st.lists(st.integers(0, 40), max_size=60))
def test_no_window_is_ever_overdrawn_and_waiting_as_told_is_enough(windows: tuple[Window, ...], waits: list[int]) -> None:
    """At most `count` in each window that began with a use, at most twice that in any stretch of its length."""
    now, used, given_at = 0, (), []
    for wait in waits:
        now += wait
        again = again_at(used, windows, now)
        if again > now:
            assert again_at(used, windows, again) <= again
            continue
        used = counted(used, windows, now)
        given_at.append(now)
    for window in windows:
        for start in given_at:
            assert sum(start <= at < start + window.ms for at in given_at) <= 2 * window.count


def test_guesses_are_bounded_by_the_limits_of_codes() -> None:
    """Twice ten codes in any 24 hours at most, five tries each: a hundred guesses at a million codes. The reserve is not for them."""
    assert max(2 * window.count for window in CONTACT_WINDOWS if window.ms == 86_400_000) * TRIES_MAX == 100
    assert max(2 * window.count for window in RESERVE_WINDOWS if window.ms == 86_400_000) * TRIES_MAX == 50


@given(waits=st.lists(st.integers(0, 2 * 86_400_000), min_size=1, max_size=60))
def test_nothing_is_counted_any_more_when_it_is_forgotten(waits: list[int]) -> None:
    """From then on a budget allows, and counts, as one that is new; a moment before it does not."""
    now, used = 0, ()
    for wait in waits:
        now += wait
        used = counted(used, CONTACT_WINDOWS, now)
    until = counted_until(used)
    assert now < until <= now + SPANS_MS[-1]
    assert counted(used, CONTACT_WINDOWS, until) == counted((), CONTACT_WINDOWS, until)
    assert counted(used, CONTACT_WINDOWS, until - 1) != counted((), CONTACT_WINDOWS, until - 1)
    assert again_at(used, CONTACT_WINDOWS, until) <= until


def test_a_budget_without_uses_allows() -> None:
    """Whatever the windows."""
    assert again_at((), CONTACT_WINDOWS, 5) == 0
    assert counted((), CONTACT_WINDOWS, 5) == (Used(5, 1),) * 3


@given(st.from_regex(r"1(3[0-9]|5[0-35-9]|8[0-9])[0-9]{8}", fullmatch=True))
def test_a_mobile_number_has_one_form_however_it_is_written(number: str) -> None:
    """Spaces, hyphens, a country code or none."""
    forms = (number, f"+86{number}", f"0086 {number}", f"+86 {number[:3]}-{number[3:7]}-{number[7:]}", f" {number} ")
    assert {contact_of(form, region="CN").text for form in forms} == {f"+86{number}"}


@given(st.text(max_size=40))
def test_any_text_is_a_contact_in_one_form_or_refused(text: str) -> None:
    """Nothing else is raised, and the one form stands for itself."""
    try:
        contact = contact_of(text, region="CN")
    except Refused as refused:
        assert refused.code.value == "contact_invalid"  # noqa: PT017 - either outcome is right, this is what the second must look like
    else:
        assert contact_of(contact.text, region="US") == contact


@given(text=st.text(alphabet="0123456789+-() abcx;=ext.", max_size=24), region=st.sampled_from(sorted(COUNTRIES)))
def test_any_number_is_in_e164_or_refused(text: str, region: str) -> None:
    """In every country."""
    try:
        phone = phone_of(text, region=region)
    except Refused as refused:
        assert refused.code.value == "contact_invalid"  # noqa: PT017 - as above
    else:
        assert phone[0] == "+"
        assert phone[1:].isdigit()
        assert len(phone) <= 16


@given(st.emails())
def test_an_email_is_found_in_any_case(email: str) -> None:
    """If it is one."""
    try:
        contact = contact_of(email, region="CN")
    except Refused:
        return
    assert contact.kind is ContactKind.EMAIL
    assert contact_of(contact.text.upper(), region="CN") == contact
    hidden = masked("", contact.text)
    assert hidden == f"{contact.text[0]}***@{contact.text.partition('@')[2]}"


@given(_held, st.sampled_from(["", "shp_1"]), st.sampled_from([str(role) for role in (*ShopRole, *OperatorRole)]))
def test_nobody_without_a_role_there_changes_roles_there(held: frozenset[Held], shop: str, role: str) -> None:
    """A role in one shop is nothing in another; only admins reach into the marketplace, or give a shop its owner."""
    may = may_change_role(held, shop_id=shop, role=role)
    there = {it.role for it in held if it.shop_id == shop}
    is_admin = Held("", "admin") in held
    if not shop:
        assert may == is_admin
    elif role == "owner":
        assert may == (is_admin or "owner" in there)
    else:
        assert may == ("owner" in there or ("manager" in there and role in {"service", "packer"}))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_household_is_one_origin(network: int, one: int, other: int) -> None:
    """Whatever the last 64 bits of its addresses are."""

    def written(host: int) -> str:
        digits = f"{network << 64 | host:032x}"
        return ":".join(digits[n : n + 4] for n in range(0, 32, 4))

    if network:
        assert origin_of(written(one)) == origin_of(written(other))


def test_an_address_of_version_4_is_its_own_origin_in_either_form() -> None:
    """Also when it comes as one of version 6; what is no address stands for itself."""
    assert origin_of("192.0.2.1") == origin_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert origin_of("testclient") == "testclient"
