"""Writing the output never destroys the input, and no file that exists without permission."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from genderclient import Client, FakeTransport
from genderclient.tables import ClientSettings, Columns, TableError, TableJob
from tests.support.client.fakes import respond_male

TABLE = "nickname\nx\n"


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ClientSettings, "client", lambda self: Client(transport=FakeTransport(respond_male)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users.csv").write_text(TABLE)
    return tmp_path / "users.csv"


def run(users: Path, output: Path, *, overwrite: bool = False) -> int:
    return TableJob(users, output, Columns(), ClientSettings(), overwrite=overwrite).run(concurrency=1).succeeded


def same(users: Path) -> Path:
    return users


def relative(users: Path) -> Path:
    (users.parent / "folder").mkdir()
    return Path("folder/../users.csv")


def symbolic_link(users: Path) -> Path:
    (users.parent / "link.csv").symlink_to(users)
    return users.parent / "link.csv"


def link_to_folder(users: Path) -> Path:
    (users.parent / "folder").symlink_to(users.parent, target_is_directory=True)
    return users.parent / "folder" / "users.csv"


def hard_link(users: Path) -> Path:
    os.link(users, users.parent / "link.csv")
    return users.parent / "link.csv"


def output_whose_failures_are_the_input(users: Path) -> Path:
    os.link(users, users.parent / "out.csv.failed.csv")
    return users.parent / "out.csv"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "spelling",
    [same, relative, symbolic_link, link_to_folder, hard_link, output_whose_failures_are_the_input],
)
def test_input_is_never_overwritten(users: Path, spelling: Callable[[Path], Path], overwrite: bool) -> None:
    with pytest.raises(TableError, match="is the input"):
        run(users, spelling(users), overwrite=overwrite)
    assert users.read_text() == TABLE


def test_input_in_chunk_folder_is_refused(users: Path) -> None:
    moved = users.parent / "out.csv.chunks" / "users.csv"
    moved.parent.mkdir()
    users.rename(moved)
    with pytest.raises(TableError, match="contains the input"):
        run(moved, users.parent / "out.csv")
    assert moved.read_text() == TABLE


@pytest.mark.parametrize("name", ["out.csv", "out.csv.failed.csv"])
def test_existing_output_is_replaced_on_request_only(users: Path, name: str) -> None:
    (users.parent / name).write_text("mine")
    with pytest.raises(TableError, match=r"exists; .* --overwrite"):
        run(users, users.parent / "out.csv")
    assert (users.parent / name).read_text() == "mine"
    assert run(users, users.parent / "out.csv", overwrite=True) == 1
    assert "gender" in (users.parent / "out.csv").read_text()


def test_folder_is_no_output(users: Path) -> None:
    (users.parent / "out.csv").mkdir()
    with pytest.raises(TableError, match="is a folder"):
        run(users, users.parent / "out.csv", overwrite=True)


def test_missing_folder_of_the_output_is_named(users: Path) -> None:
    with pytest.raises(TableError, match=r"^nowhere: is no folder; create it"):
        run(users, Path("nowhere/out.csv"))


def test_job_that_was_interrupted_after_its_output_is_finished_by_the_same_command(
    users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = users.parent / "out.csv"
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr("genderclient.tables.job.shutil.rmtree", interrupt)
        run(users, output)
    assert output.is_file()
    assert run(users, output) == 1
    assert not output.with_name("out.csv.chunks").exists()
    with pytest.raises(TableError, match="exists"):
        run(users, output)


def interrupt(_: Path) -> None:
    raise KeyboardInterrupt
