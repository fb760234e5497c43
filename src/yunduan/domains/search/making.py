"""Indexes are made and kept: of the store they are derived from, one generation after the other, whatever they are of.

An index moves a cursor of its own in the transaction of its words, so that it is never ahead, and after a crash goes on from where it
was. One that was made in another form, or of a store that was restored since, is made anew while everybody reads it.
"""

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

from yunduan.domains.search import words
from yunduan.domains.search.store_words import Made, WordFile
from yunduan.kernel.messages import Query
from yunduan.runtime.hearing import stands_at
from yunduan.runtime.ports import MadeElsewhereError, Reader, SideStore, SideStores

Answer = TypeVar("Answer")
File = TypeVar("File", bound=WordFile)


class Ask(Protocol):
    """Answers queries from the last commit."""

    def __call__(self, query: Query[Answer]) -> Answer:
        """Answer one."""
        ...


class Maker(ABC, Generic[File]):
    """Writes one kind of index, a step at a time: one process does."""

    def __init__(self, sides: SideStores, *, reader: Reader) -> None:
        """Go on with the generation that everybody reads, if there is one."""
        self._sides = sides
        self._reader = reader
        self._index: File | None = None
        self._generation = 0
        self.has_written = False
        """Whether there is more in it than when it rested last."""

    # What each kind says

    @abstractmethod
    def opened(self, side: SideStore) -> File:
        """The index over a file."""

    @abstractmethod
    def begun(self, index: File, epoch: int, seq: int) -> None:
        """Note that an index has nothing yet, and hears what is told from here on."""

    @abstractmethod
    def go_on(self, index: File) -> bool:
        """Do some of what is to be done; answers whether there may be more."""

    @property
    def can_wait(self) -> bool:
        """Whether nobody waits for what there may be more of after a step: it had better be done when nothing has been told for a while."""
        return False

    # What all do

    def step(self) -> bool:
        """Do some of what is to be done; answers whether there may be more.

        Nothing is to be done while somebody else makes what this would have to make.
        """
        if self._sides.generation() > self._generation:  # somebody else has made it anew
            self.close()
        try:
            index = self._opened()
        except MadeElsewhereError:
            return False
        return self.go_on(index)

    def rest(self) -> bool:
        """Tidy up a little, when nobody waits for the next step; answers whether there is more of that."""
        if self._index is None:
            return False
        if self._index.merge():
            return True
        if not self.has_written:  # not for a whole rest: whoever puts on sale by hand does it every few moments
            self._index.fold()
        self.has_written = False
        return False

    def rebuild(self) -> File:
        """Begin the next generation, from what there is now; until it is whole everybody reads the one before.

        Raises `MadeElsewhereError` when somebody else is at it.
        """
        self.close()
        self._generation = self._sides.generation() + 1
        epoch, seq = stands_at(self._reader)
        index = self._index = self.opened(self._sides.write(self._generation))
        index.make()
        index.begin()
        self.begun(index, epoch, seq)
        index.keep_signs(words.readings())
        index.commit()
        return index

    def publish(self, index: File) -> None:
        """From now on everybody reads what was made, and words are merged when nobody waits."""
        index.leave_merging()
        self._sides.publish(self._generation)

    def close(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def _opened(self) -> File:
        """The index that is written: the one that is read, while it can be kept up; else the next one, which is begun."""
        if self._index is None and self._sides.generation():
            self._generation = self._sides.generation()
            self._index = self.opened(self._sides.write(self._generation))
            if not self._is_whole(self._index):
                return self.rebuild()
        if self._index is None or not self._can_be_kept(self._index):
            return self.rebuild()
        return self._index

    def _is_whole(self, index: File) -> bool:
        """Not one whose last commits were lost with the power, after everybody was told to read it: what it counts was in memory."""
        return index.form() != index.FORM or index.state().is_whole

    def _can_be_kept(self, index: File) -> bool:
        """Not one that was made in another form, or of a store that was restored since."""
        return index.form() == index.FORM and can_be_kept(index.state(), *stands_at(self._reader))


def can_be_kept(state: Made, epoch: int, head: int) -> bool:
    """Whether an index is of this store: not one that was restored since, or is another."""
    return state.epoch == epoch and state.seq <= head
