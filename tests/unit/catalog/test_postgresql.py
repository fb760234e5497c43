"""The stories that between them touch every statement of the catalog, on PostgreSQL; `make soak` tells all the others there too."""

from collections.abc import Callable
from pathlib import Path

import pytest

from unit.catalog import test_applications, test_attributes, test_goods, test_life, test_lists, test_prices, test_shops, test_stock
from unit.catalog.conftest import on_postgresql
from unit.catalog.town import Town
from yunduan.runtime.settings import MarketSettings

STORIES = (
    test_applications.test_a_rejected_applicant_reads_why_and_may_apply_again,
    test_applications.test_a_shops_own_people_read_why_it_was_suspended,
    test_applications.test_of_many_who_wait_each_is_listed_once,
    test_life.test_banned_goods_are_frozen_and_come_back_off_sale,
    test_life.test_goods_go_on_sale_at_their_time_and_once,
    test_goods.test_a_retired_variants_sku_is_free_again,
    test_goods.test_another_shop_cannot_touch_goods,
    test_goods.test_only_goods_on_sale_are_shown,
    test_goods.test_sales_and_reviews_are_counted_on_page_and_card,
    test_goods.test_the_desk_shows_drafts_and_stock_a_page_at_a_time,
    test_lists.test_a_category_lists_what_is_below_it,
    test_lists.test_a_category_takes_other_names,
    test_lists.test_each_order_shows_every_card_once,
    test_attributes.test_a_category_is_filtered_by_what_its_goods_tell,
    test_attributes.test_pages_of_a_filtered_list_neither_skip_nor_repeat,
    test_prices.test_a_comparison_that_is_charged_again_meanwhile_lasts_from_then,
    test_prices.test_the_curve_shows_thirty_days,
    test_shops.test_a_suspended_shop_is_not_shown_and_says_that_it_is_closed,
    test_stock.test_a_count_says_who_made_it_and_why,
    test_stock.test_of_200_that_race_for_ten_pieces_by_threes_three_have_them,
    test_stock.test_pieces_come_from_the_first_place_that_has_them_all,
)


@pytest.mark.slow
def test_a_review_is_the_same_on_postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Goods wait, are sent back, and come again."""
    for town in on_postgresql(request, tmp_path, MarketSettings(reviews_goods=True)):
        test_life.test_what_is_sent_back_says_why_and_waits_at_the_end_when_it_comes_again(town)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_story_is_the_same_on_postgresql(postgresql_town: Town, story: Callable[[Town], None]) -> None:
    """The very same claims hold."""
    story(postgresql_town)
