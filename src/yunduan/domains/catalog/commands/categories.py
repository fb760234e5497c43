"""The category tree: it grows, what is called by one name may be given another, and what goods tell of themselves is said."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog import store, store_attributes
from yunduan.domains.catalog.attributes import ATTRIBUTES_MAX, Attribute, CategoryAttributes, check_attributes
from yunduan.domains.catalog.facts import CategoryChanged, CategoryCreated
from yunduan.domains.catalog.model import CATEGORIES_MAX, CatalogRefusal, MaybeName, Name, below
from yunduan.kernel.ids import CategoryId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class CategoryKept(Struct, frozen=True, kw_only=True):
    """A category as it is now known."""

    id: CategoryId


class CreateCategory(
    Command[CategoryKept],
    refuses={CatalogRefusal.CATEGORY_NOT_FOUND, CatalogRefusal.CATEGORY_TOO_DEEP, CatalogRefusal.CATEGORIES_FULL},
):
    """Grow the tree by one category."""

    name: Name
    name_en: MaybeName = ""
    parent_id: CategoryId | None = None


class ChangeCategory(Command[None], refuses={CatalogRefusal.CATEGORY_NOT_FOUND}):
    """Give a category other names; harmless when it has them. It stays where it is in the tree."""

    category_id: CategoryId
    name: Name
    name_en: MaybeName = ""


class SetAttributes(
    Command[None],
    refuses={
        CatalogRefusal.CATEGORY_NOT_FOUND,
        CatalogRefusal.ATTRIBUTE_TAKEN,
        CatalogRefusal.ATTRIBUTE_FORM,
        CatalogRefusal.ATTRIBUTE_KEPT,
    },
):
    """Say what goods of a category, and of all below it, tell of themselves: all of it, the earlier ones as they were or renamed."""

    category_id: CategoryId
    attributes: Annotated[tuple[Attribute, ...], Meta(max_length=ATTRIBUTES_MAX)]


@handles(CreateCategory)
def create_category(tx: Tx, ask: CreateCategory) -> CategoryKept:
    """Keep the category, and the tree as everybody is shown it."""
    parent = store.category(tx, ask.parent_id) if ask.parent_id else None
    tree = store.tree(tx)
    if tree.count >= CATEGORIES_MAX:
        raise Refused(CatalogRefusal.CATEGORIES_FULL, f"{CATEGORIES_MAX} categories are the most")
    category = below(parent, id=CategoryId(tx.id("cat")), name=ask.name, name_en=ask.name_en)
    tx.add(store.CATEGORY, category.id, category)
    (tx.put if tree.count else tx.add)(store.TREE, 1, tree.grown(category))
    tx.tell(CategoryCreated(category_id=category.id))
    return CategoryKept(id=category.id)


@handles(ChangeCategory)
def change_category(tx: Tx, ask: ChangeCategory) -> None:
    """Keep the category, and the tree with it in the same place; goods and cards name categories by id alone, so none changes."""
    category = store.category(tx, ask.category_id)
    changed = replace(category, name=ask.name, name_en=ask.name_en)
    if changed == category:
        return
    tx.put(store.CATEGORY, category.id, changed)
    tx.put(store.TREE, 1, store.tree(tx).with_changed(changed))
    tx.tell(CategoryChanged(category_id=category.id))


@handles(SetAttributes)
def set_attributes(tx: Tx, ask: SetAttributes) -> None:
    """Keep what is asked; goods tell it when their shop describes them anew."""
    category = store.category(tx, ask.category_id)
    before = tx.get(store_attributes.ATTRIBUTES, category.id)
    above = store_attributes.attributes_of(tx, store.category(tx, category.parent_id)) if category.parent_id else {}
    check_attributes(before.attributes if before else (), ask.attributes, above)
    kept = CategoryAttributes(category_id=category.id, attributes=ask.attributes)
    if kept != before:
        (tx.add if before is None else tx.put)(store_attributes.ATTRIBUTES, category.id, kept)
        tx.tell(CategoryChanged(category_id=category.id))
