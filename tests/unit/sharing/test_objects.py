"""Both makers keep what a place of objects promises."""

from __future__ import annotations

import threading

import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import CustodyError
from kobe_platform.objects import Objects, open_objects
from kobe_platform.objects.s3 import BucketObjects
from tests.unit.sharing.places import Faulty


def test_what_was_put_is_read_listed_and_removed(place, tmp_path):
    place.put("a/b", b"one")
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    place.put("a/c/d", tmp_path / "file")
    assert place.get("a/b").data == b"one"
    (tmp_path / "target").touch()
    assert place.fetch("a/c/d", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"x" * 100_000
    assert [found.name for found in place.names("a")] == ["a/b", "a/c/d"]
    assert [found.tag for found in place.names("a/b")] in ([place.get("a/b").tag], [])
    place.remove("a/b")
    place.remove("a/b")
    assert place.get("a/b") is None and not place.fetch("a/b", tmp_path / "target")


def test_a_list_gives_the_tag_by_which_an_object_is_exchanged(place):
    place.put("a/b", b"one")
    (found,) = place.names("a")
    assert place.exchange("a/b", b"two", found.tag) is not None
    assert place.exchange("a/b", b"three", found.tag) is None
    assert place.get("a/b").data == b"two"


def test_where_there_is_an_object_none_is_put_new(place):
    assert place.put_new("a", b"one")
    assert not place.put_new("a", b"two")
    assert place.exchange("absent", b"two", "no such tag") is None
    assert place.get("a").data == b"one" and place.get("absent") is None


def test_of_many_writers_of_one_name_one_wins(place):
    won: list[int] = []

    def write(number: int) -> None:
        if place.put_new("log/1", b"%d" % number):
            won.append(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(won) == 1 and place.get("log/1").data == b"%d" % won[0]


def test_a_write_that_is_made_twice_because_its_answer_was_lost_counts_as_done(place):
    again = Faulty(place)
    inner = again._put_if

    def twice(name: str, data: bytes, tag: str | None) -> str | None:
        inner(name, data, tag)
        return inner(name, data, tag)  # as a library does that got no answer

    again._put_if = twice
    assert again.put_new("a", b"one")
    assert again.exchange("a", b"two", place.get("a").tag) == place.get("a").tag
    assert place.get("a").data == b"two"


@pytest.mark.parametrize("address", ["http://example/x", "s3://", "s3://[/x", "bucket/prefix", "file://relative"])
def test_an_address_that_is_none_is_told(address):
    with pytest.raises(CustodyError) as told:
        open_objects(address)
    assert told.value.code == "store.address"


def test_a_server_that_does_not_answer_is_told_without_its_address(monkeypatch, bucket):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    place = BucketObjects(bucket, tries=1)
    for call in (lambda: place.get("a"), lambda: place.put("a", b"b"), lambda: list(place.names("a"))):
        with pytest.raises(CustodyError) as told:
            call()
        assert told.value.code == "store.unreachable"
        assert "127.0.0.1" not in f"{told.value} {told.value.as_record()}"


class Careless(Faulty):
    """A server that does not look at some condition: that there is no object yet, or that it is the one with a tag.

    One kind of server refuses every write with a tag, as Ceph's gateway 16 does with the tags that it gives itself.
    """

    def __init__(self, inner: Objects, about: str) -> None:
        super().__init__(inner)
        self.about = about

    def _put_if(self, name: str, data: bytes, tag: str | None) -> str | None:
        if self.about == "refuses tags" and tag is not None:
            return None
        if self.about == ("absence" if tag is None else "tags"):
            self.inner.put(name, data)
            return self.inner.get(name).tag
        return self.inner._put_if(name, data, tag)

    def _put_once_more(self, name: str, data: bytes, tag: str) -> str | None:
        return self._put_if(name, data, tag)


def test_a_place_that_keeps_to_conditions_is_left_as_it_was(place):
    place.put("a", b"one")
    place.check_conditions()
    assert [found.name for found in place.names("")] == ["a"]


@pytest.mark.parametrize("about", ["absence", "tags", "refuses tags"])
def test_no_installation_begins_where_conditions_are_not_kept(place, tmp_path, about):
    keys = tmp_path / "keys"
    with pytest.raises(CustodyError) as told:
        LocalKeyStore.create(keys, log=tmp_path / "log" / "key_use.jsonl", shared=Careless(place, about))
    assert told.value.code == "store.conditions"
    assert not (keys / "root.json").exists() and list(place.names("")) == []
