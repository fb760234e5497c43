"""What makes sure that a store is the right one: that its keys belong to it, and that a copy brought back is known as one."""

from yunduan.kernel.refusals import invariant
from yunduan.runtime.marks import keep_mark_at_start
from yunduan.runtime.marks import mark as mark_of
from yunduan.runtime.ports import Store, StoreRefusedError

_RAISE = "UPDATE head SET epoch = epoch + 1"
_KEYS = "keys"
_EPOCH = "SELECT epoch FROM head"


def raise_epoch(store: Store) -> int:
    """Begin a new epoch, so that every cursor kept elsewhere sees that the order of facts has forked; answers which one it is."""
    store.begin()
    invariant(store.write(_RAISE) == 1, "a store has one head")
    row = store.row(_EPOCH)
    store.lend()
    store.commit()
    return int(row[0]) if row else 0


def belong_together(store: Store, mark: bytes) -> None:
    """Remember which keys a store was begun with; with others nobody could be found or read, so it is not opened."""
    known = mark_of(store, _KEYS)
    if known is not None and known != mark:
        raise StoreRefusedError("these keys are not those that this store was begun with: bring back their copy (`yunduan restore --keys`)")
    if known is None:
        keep_mark_at_start(store, _KEYS, mark)
