"""Triton's command line."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

FALSE = frozenset({"false", "0", "off"})


class Flags:
    """The flags of a command line, in both spellings: `--flag=value` and `--flag value`."""

    def __init__(self, arguments: Iterable[str]) -> None:
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        flag = ""
        for argument in arguments:
            if argument.startswith("--"):
                flag, _, value = argument.removeprefix("--").partition("=")
                self._values[flag] += [value] if "=" in argument else []
            elif flag:
                self._values[flag].append(argument)
                flag = ""

    def __contains__(self, flag: str) -> bool:
        return flag in self._values

    def all(self, flag: str) -> list[str]:
        """Return all values of a repeatable flag."""
        return self._values.get(flag, [])

    def last(self, flag: str, default: str) -> str:
        """Return the last value of a flag, which overrides the earlier ones."""
        return (self.all(flag) or [default])[-1]

    def allows(self, flag: str, default: bool) -> bool:
        """Return a boolean flag, parsed as Triton does."""
        return self.last(flag, str(default)).lower() not in FALSE


def with_defaults(arguments: list[str], defaults: Mapping[str, str]) -> list[str]:
    """Prepend the defaults that the arguments do not set."""
    flags = Flags(arguments)
    return [f"--{flag}={value}" for flag, value in defaults.items() if flag not in flags] + arguments


def with_values(arguments: Iterable[str], flags: Collection[str], change: Callable[[str], str]) -> list[str]:
    """Replace each value of these flags."""
    changed, flag = [], ""
    for argument in arguments:
        if argument.startswith("--"):
            flag, separator, value = argument.removeprefix("--").partition("=")
            changed.append(f"--{flag}={change(value)}" if separator and flag in flags else argument)
        else:
            changed.append(change(argument) if flag in flags else argument)
            flag = ""
    return changed
