"""Parses Dockerfiles."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import WordSplitter

from tests.support.tritonserver import ROOT

FILES: Final = {
    file.stem.replace("_", "-"): file for file in sorted((ROOT / "docker").glob("*.Dockerfile"))
}  # image name without "gender-" → Dockerfile


@dataclass
class Stage:
    """A build stage: the (instruction, value) pairs that follow a FROM."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def values(self, instruction: str) -> list[str]:
        return [value for name, value in self.instructions if name == instruction]

    def last(self, instruction: str) -> list[str]:
        """Return the words of the last such instruction, the one that counts; [] if there is none."""
        return words(self.values(instruction)[-1]) if self.values(instruction) else []

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair for value in self.values("ENV") for pair in pairs(value))

    @property
    def command(self) -> list[str]:
        """What a container runs."""
        return self.last("ENTRYPOINT") + self.last("CMD")

    @property
    def health(self) -> list[str]:
        """The command of HEALTHCHECK."""
        (value,) = self.values("HEALTHCHECK")
        return words(value.split("CMD", maxsplit=1)[1])


def stages(file: Path) -> list[Stage]:
    """Return the stages of a Dockerfile. The last one is the image."""
    parsed: list[Stage] = []
    for instruction in DockerfileParser(str(file), cache_content=True).structure:
        name, value = instruction["instruction"].upper(), instruction["value"]
        if name == "FROM":
            base, *alias = value.split()
            parsed.append(Stage(base, alias[1] if alias else ""))
        elif name != "COMMENT":
            parsed[-1].instructions.append((name, value))
    return parsed


def image(name: str) -> Stage:
    """Return the final stage of the image `gender-<name>`."""
    return stages(FILES[name])[-1]


def words(value: str) -> list[str]:
    """Split a command in exec form (a JSON list) or shell form."""
    value = value.strip()
    if value.startswith("["):
        return [str(word) for word in json.loads(value)]
    return shlex.split(value)


def pairs(value: str) -> list[tuple[str, str]]:
    """Return the variables of an ENV instruction."""
    parts = (word.partition("=") for word in WordSplitter(value).split())
    return [(name, given) for name, _, given in parts]


def copied(value: str) -> tuple[str, list[str], str]:
    """Return the source stage (empty: the build context), the sources and the destination of a COPY instruction."""
    flags = [word for word in value.split() if word.startswith("--")]
    *sources, destination = [word for word in value.split() if not word.startswith("--")]
    stage = next((flag.removeprefix("--from=") for flag in flags if flag.startswith("--from=")), "")
    return stage, sources, destination
