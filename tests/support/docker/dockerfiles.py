"""The Dockerfiles as their builder reads them, up to what a test wants to know."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import WordSplitter

from tests.support.tritonserver import ROOT

FILES: Final = {file.stem: file for file in sorted((ROOT / "docker").glob("*.Dockerfile"))}


@dataclass
class Stage:
    """What stands between one FROM and the next: (instruction, value) in order."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def values(self, instruction: str) -> list[str]:
        return [value for name, value in self.instructions if name == instruction]

    def last(self, instruction: str) -> list[str]:
        """The words of the one that counts: of a shell form, what a shell makes of it; nothing where there is none."""
        return words(self.values(instruction)[-1]) if self.values(instruction) else []

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair for value in self.values("ENV") for pair in pairs(value))

    @property
    def command(self) -> list[str]:
        """What a container of it runs."""
        return self.last("ENTRYPOINT") + self.last("CMD")

    @property
    def health(self) -> list[str]:
        """What its HEALTHCHECK runs."""
        (value,) = self.values("HEALTHCHECK")
        return words(value.split("CMD", maxsplit=1)[1])


def stages(file: Path) -> list[Stage]:
    """The stages of a Dockerfile; the last one is the image."""
    found: list[Stage] = []
    for instruction in DockerfileParser(str(file), cache_content=True).structure:
        name, value = instruction["instruction"].upper(), instruction["value"]
        if name == "FROM":
            base, *alias = value.split()
            found.append(Stage(base, alias[1] if alias else ""))
        elif name != "COMMENT":
            found[-1].instructions.append((name, value))
    return found


def image(name: str) -> Stage:
    """The image that `docker/<name>.Dockerfile` makes."""
    return stages(FILES[name])[-1]


def words(value: str) -> list[str]:
    """The words of a command, in its exec form (a JSON list) or its shell form."""
    value = value.strip()
    if value.startswith("["):
        return [str(word) for word in json.loads(value)]
    return shlex.split(value)


def pairs(value: str) -> list[tuple[str, str]]:
    """The variables of an ENV."""
    found = (word.partition("=") for word in WordSplitter(value).split())
    return [(name, given) for name, _, given in found]


def copied(value: str) -> tuple[str, list[str], str]:
    """Of a COPY: the stage it takes from (empty: the context), its sources and its destination."""
    flags = [word for word in value.split() if word.startswith("--")]
    *sources, destination = [word for word in value.split() if not word.startswith("--")]
    stage = next((flag.removeprefix("--from=") for flag in flags if flag.startswith("--from=")), "")
    return stage, sources, destination
