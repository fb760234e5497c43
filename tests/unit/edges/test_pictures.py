"""The pictures of the package: each is what its name says, for ever."""

from hashlib import sha256

from yunduan.edges.pictures import FOLDER, HASH_DIGITS, MEDIA_TYPES, picture_of, pictures


def test_every_picture_is_named_after_its_content() -> None:
    """So a name never comes to stand for another picture; and what is to be seen is said once."""
    assert len(pictures()) == 447
    for name, file in pictures().items():
        what, digits, ending = name.rsplit(".", 2)
        content = file.read_bytes()
        assert digits == sha256(content).hexdigest()[:HASH_DIGITS], name
        assert (f".{ending}" in MEDIA_TYPES, content[:4], content[8:12]) == (True, b"RIFF", b"WEBP"), name
        assert picture_of(what) == name


def test_the_notices_of_those_who_drew_them_lie_beside_them() -> None:
    """Both of them ask for it."""
    notice = (FOLDER / "NOTICE.txt").read_text()
    assert [holder in notice for holder in ("Copyright (c) Microsoft Corporation.", "Copyright (c) 2023 LobeHub.")] == [True, True]
