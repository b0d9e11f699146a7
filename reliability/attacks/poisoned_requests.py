"""Generates HTTP inferences that differ from a valid one by a few hostile changes.

Unlike random bytes, most of them are JSON of the right form, so that they get past a parser.
"""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from genderprep.tensors import AVATAR, NICKNAME, PROBABILITIES

from ..malformed.requests.http_requests import LENGTH, PATH, post
from ..malformed.requests.parts import NAMES, NUMBERS, TYPES, element, mutated

Json = Any
# Keys of objects and indices of arrays.
Path = tuple[Any, ...]

CLAIMS: Final = (10**9, 10**15, 2**40, 2**64, 1e308, 0.5)
DATATYPES: Final = ("INT8", "INT64", "UINT64", "FP16", "BF16", "FP64")
NESTING: Final = (2, 16, 31, 32, 1_000, 24_000, 33_000)
# A string that stands for nested arrays.
NESTED: Final = "nested"
KEYS: Final = (
    *("id", "parameters", "inputs", "outputs", "name", "shape", "datatype", "data", "binary_data_size"),
    *("binary_data", "binary_data_output", "classification", "shared_memory_region", "shared_memory_byte_size"),
    *("sequence_id", "sequence_start", "priority", "timeout", "__proto__"),
)
PATHS: Final = (f"{PATH}?a=1", PATH.replace("/infer", "/versions/99999999999999999999/infer"))


class Twin(str):
    """A key that a dict holds beside an equal one."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


def poisoned_requests(seed: int, count: int) -> Iterator[bytes]:
    """Yield `count` requests; the same seed yields the same ones."""
    for number in range(count):
        yield _poisoned(Random(f"{seed}/{number}/poisoned"))


def _poisoned(rng: Random) -> bytes:
    request, tensors = _valid(rng)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if paths := list(_paths(request)):
            request = _changed(request, rng.choice(paths), rng)
    head = _text(request)
    length = len(head) + (rng.choice((-1, 1, 4, -len(head), 90_000)) if rng.random() < 0.1 else 0)
    body = mutated(head + tensors, rng.random()) if rng.random() < 0.1 else head + tensors
    headers = {LENGTH: length} if tensors or rng.random() < 0.1 else {}
    return post(body, headers, rng.choice(PATHS) if rng.random() < 0.05 else PATH)


def _valid(rng: Random) -> tuple[Json, bytes]:
    """Return the JSON and the binary tensors of a valid request; the values are in one or the other."""
    is_binary, inputs, tensors = rng.random() < 0.5, list[Json](), b""
    for name, value in ((AVATAR, ""), (NICKNAME, "小美")):
        tensor = element(value.encode())
        fields: Json = {"parameters": {"binary_data_size": len(tensor)}} if is_binary else {"data": [value]}
        inputs.append({"name": name, "shape": [1, 1], "datatype": "BYTES", **fields})
        tensors += tensor if is_binary else b""
    outputs = [{"name": PROBABILITIES, "parameters": {"binary_data": is_binary}}]
    return {"id": "1", "parameters": {"timeout": 9_000_000}, "inputs": inputs, "outputs": outputs}, tensors


def _paths(value: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the way to each value inside this one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if type(value) is list else ()
    for key, inner in items:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _changed(value: Json, path: Path, rng: Random) -> Json:
    """Return a copy in which the value at `path` is hostile, repeated, renamed or missing."""
    key, *rest = path
    if rest:
        inner = {key: _changed(value[key], tuple(rest), rng)}
        return {**value, **inner} if isinstance(value, dict) else [*value[:key], *inner.values(), *value[key + 1 :]]
    if isinstance(value, list):
        return [*value[:key], *rng.choice(((_hostile(rng),), (value[key],) * 2, ())), *value[key + 1 :]]
    members = {name: inner for name, inner in value.items() if name is not key}
    hostile = _hostile(rng, key)
    match rng.randrange(5):
        case 0:
            return {Twin(key): hostile, **value}
        case 1:
            return {**value, Twin(key): hostile}
        case 2:
            return {**members, rng.choice(KEYS): value[key]}
        case 3:
            return members if rng.random() < 0.5 else {**value, rng.choice(KEYS): hostile}
        case _:
            return {**value, key: hostile}


def _hostile(rng: Random, key: str = "") -> Json:
    number = rng.choice((*NUMBERS, *CLAIMS))
    nested = f"{NESTED} {rng.choice(NESTING)}"
    anything: tuple[Json, ...] = (
        number,
        [number],
        {},
        [],
        None,
        True,
        "",
        rng.choice(NAMES)[:1000],
        nested,
        "a" * 70_000,
    )
    specific: dict[str, tuple[Json, ...]] = {
        "shape": ([number], [1, number], [number] * rng.randrange(1, 12)),
        "datatype": (*TYPES, *DATATYPES),
        "data": ([number], ["a"] * rng.randrange(40), [[number]] * 3, nested),
        "inputs": ([], [{}], [[]] * 100),
    }
    return rng.choice(specific.get(key, anything) if rng.random() < 0.7 else anything)


def _text(request: Json) -> bytes:
    """Return the JSON. json.dumps itself cannot nest deeply."""
    text = re.sub(rf'"{NESTED} ([0-9]+)"', lambda match: "[" * int(match[1]) + "]" * int(match[1]), json.dumps(request))
    return text.encode()
