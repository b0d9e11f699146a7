"""What the measuring commands are told, and what they say of it."""

import sys

import pytest

from perf.report.command import arguments, circumstances


def test_defaults_are_told_with_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sweep", "--rounds", "5"])
    args = arguments("what it does", clients=[1, 8])
    assert args.clients == [1, 8]
    told = circumstances(args)
    assert told.pop("load_average_before") >= 0
    assert told == {"seed": 1, "users": 256, "seconds": 3, "rounds": 5}


@pytest.mark.parametrize("option", ["--rounds", "--seconds", "--users", "--clients"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_what_is_no_count_is_named(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweep", option, value])
    with pytest.raises(SystemExit, match="2"):
        arguments("what it does", clients=[1])
    assert f"{option}: '{value}' is not a count; expected 1 or more" in capsys.readouterr().err
