"""What operators decide about goods is told to who manages their shop, and what waits for a review to who decides."""

import pytest

from unit.notices.told import House
from unit.orders.market import yuan
from yunduan.domains.catalog.commands import ApproveGoods, BanGoods, ChangeGoods, CreateGoods, LiftBan, PublishGoods, RejectGoods
from yunduan.domains.catalog.commands.scheduling import ScheduleGoods
from yunduan.domains.catalog.model import CatalogSettings, GoodsForm, VariantForm
from yunduan.domains.identity.commands import GrantRole, RegisterPerson
from yunduan.domains.identity.model import DAY_MS, OperatorRole
from yunduan.kernel.ids import GoodsId, PersonId
from yunduan.kernel.messages import Command


@pytest.fixture
def operators(house: House, monkeypatch: pytest.MonkeyPatch) -> dict[str, PersonId]:
    """Somebody in every role of a marketplace that reviews goods."""
    monkeypatch.setitem(house.world.cloud._ports, CatalogSettings, CatalogSettings(reviews_goods=True))
    found = {}
    for number, role in enumerate(OperatorRole):
        found[role.value] = house.world.send(RegisterPerson(phone=f"+861360000{number:04d}")).person_id
        house.world.send(GrantRole(person_id=found[role.value], role=role))
    return found


def form(house: House, title: str = "龙井") -> GoodsForm:
    """Goods in one variant."""
    return GoodsForm(title=title, category_id=house.market.tea, variants=(VariantForm(sku="A", price=yuan(100), weight_g=1),))


def rules(house: House, command: Command[object]) -> None:
    """Somebody decides."""
    house.world.send(command, actor=house.market.operator("admin"))


def about_goods(house: House, person: PersonId) -> list[str]:
    """What somebody was told of goods, in order."""
    kinds = house.kinds(person)
    return [kind for kind in kinds if kind.startswith(("goods_", "ban_"))]


def test_what_is_decided_about_goods_is_told_to_who_manages_their_shop(house: House, operators: dict[str, PersonId]) -> None:
    """Each decision once, and none that changes nothing; never why, which the ruling says."""
    made = house.world.send(CreateGoods(shop_id=house.shop_id, form=form(house), publish=True))
    of = {"shop_id": house.shop_id, "goods_id": made.id}
    rules(house, RejectGoods(**of, version=made.version, reason="照片看不清"))
    again = house.world.send(PublishGoods(**of))
    rules(house, ApproveGoods(**of, version=again.version))
    for _ in range(2):
        rules(house, BanGoods(**of, reason="假货"))
    rules(house, LiftBan(**of, reason="已核实"))
    decided = ["goods_rejected", "goods_approved", "goods_banned", "ban_lifted"]
    for role, person in house.staff.items():
        assert about_goods(house, person) == (decided if role in ("owner", "manager") else []), role
    texts = [it.text for it in house.page(house.staff["owner"], limit=50).items]
    assert "云茶：“龙井”未通过审核，已退回为草稿，原因见平台决定。" in texts
    assert not house.market.holds("照片看不清")


def test_what_waits_for_a_review_is_told_to_who_decides(house: House, operators: dict[str, PersonId]) -> None:
    """When it begins to wait, however: as it is made, published, scheduled or described anew; not again while it does."""

    def waiting(goods: GoodsId) -> int:
        told = house.page(operators["admin"], limit=50).items
        return sum([it.kind.value == "goods_to_review" and it.about.goods_id == goods for it in told])

    made = house.world.send(CreateGoods(shop_id=house.shop_id, form=form(house)))
    of = {"shop_id": house.shop_id, "goods_id": made.id}
    assert waiting(made.id) == 0
    kept = house.world.send(ScheduleGoods(**of, on_sale_at=house.world.clock.wall_ms() + DAY_MS))
    assert waiting(made.id) == 1
    kept = house.world.send(PublishGoods(**of))
    assert waiting(made.id) == 1
    rules(house, ApproveGoods(**of, version=kept.version))
    shown = house.world.send(ChangeGoods(**of, version=kept.version + 1, form=form(house, "碧螺春")))
    assert (shown.state.value, waiting(made.id)) == ("in_review", 2)
    assert {role for role, person in operators.items() if "goods_to_review" in house.kinds(person)} == {"admin", "risk"}
    assert house.last(operators["risk"]).text == "云茶：“碧螺春”等待审核。"
    assert all("goods_to_review" not in house.kinds(person) for person in house.staff.values())
