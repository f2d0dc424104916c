"""Files put and taken away: byte for byte, and never over what is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothat.errors import ConfigError
from pilothat.service.placing import BEGIN, END, Block, Whole, cut, read, undo

LINES = st.lists(st.text("abc=[]#\r ,", max_size=12), max_size=5)
FILES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"a=1\n", b"[all]\r\n", b"#\n", b"\xff", b"x"])).map(
        b"".join
    ),
)


@settings(deadline=None)
@given(FILES, LINES, LINES, st.booleans())
def test_a_block_is_taken_out_byte_for_byte(
    text: bytes, lines: list[str], later: list[str], is_first: bool
) -> None:
    block = Block("f", lines, is_first=is_first)
    once = block.put_into(text)
    assert block.put_into(once) == once
    assert cut(once)[0] == text
    other = Block("f", later, is_first=is_first).put_into(once)
    assert cut(other)[0] == text


@settings(deadline=None)
@given(FILES, LINES, st.sampled_from([b"b=1\n", b"[pi4]", b"\n"]))
def test_what_is_added_behind_a_block_stays_a_line_of_its_own(
    text: bytes, lines: list[str], added: bytes
) -> None:
    rest = cut(Block("f", lines).put_into(text) + added)[0]
    assert rest.endswith(added)
    ours = rest[: -len(added)]
    assert ours == text or ours == text + b"\n"
    assert ours == b"" or ours.endswith(b"\n")


def test_a_first_mark_without_the_last_is_told() -> None:
    with pytest.raises(ConfigError, match="not our last"):
        cut(b"a\n" + BEGIN + b"\nb\n")
    assert cut(b"a\n" + END + b"\n") == (b"a\n" + END + b"\n", b"")


def test_a_file_of_somebody_else_s_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"theirs")
    ours = Whole("f", b"ours")
    assert "not ours" in ours.refusal(tmp_path, None)
    old = Whole("f", b"theirs").record(tmp_path)
    assert ours.refusal(tmp_path, old) == ""


def test_a_file_that_was_changed_since_is_left(tmp_path: Path) -> None:
    ours = Whole("a/b/f", b"ours")
    record = ours.record(tmp_path)
    ours.do(tmp_path)
    (tmp_path / "a/b/f").write_bytes(b"changed")
    assert "changed since" in undo(tmp_path, "a/b/f", record)
    assert read(tmp_path / "a/b/f") == b"changed"
    ours.do(tmp_path)
    assert undo(tmp_path, "a/b/f", record) == ""
    assert [*tmp_path.iterdir()] == []
    assert undo(tmp_path, "a/b/f", record) == ""


def test_a_folder_that_somebody_else_uses_stays(tmp_path: Path) -> None:
    ours = Whole("a/b/f", b"ours")
    record = ours.record(tmp_path)
    ours.do(tmp_path)
    (tmp_path / "a/theirs").write_bytes(b"")
    undo(tmp_path, "a/b/f", record)
    assert sorted(one.name for one in (tmp_path / "a").iterdir()) == ["theirs"]


def test_a_block_that_was_changed_since_is_left(tmp_path: Path) -> None:
    file, block = tmp_path / "f", Block("f", ("a=1",))
    file.write_bytes(b"x")
    record = block.record(tmp_path)
    block.do(tmp_path)
    file.write_bytes(file.read_bytes().replace(b"a=1", b"a=2"))
    assert "between our marks" in undo(tmp_path, "f", record)
    assert "not ours" in Block("f", ("a=3",)).refusal(tmp_path, record)
    assert b"a=2" in file.read_bytes()


def test_mode_of_a_file_stays_and_no_other_file_is_left(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    file.chmod(0o640)
    Block("f", ("a",)).do(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o640
    Whole("g", b"").do(tmp_path)
    assert (tmp_path / "g").stat().st_mode & 0o777 == 0o644
    assert sorted(one.name for one in tmp_path.iterdir()) == ["f", "g"]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"no folder")
    with pytest.raises(ConfigError, match="cannot be written"):
        Whole("a/f", b"").do(tmp_path)
