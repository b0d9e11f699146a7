"""The options of single requests, which `Client.with_options` changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypedDict

from genderclient._config.checks import check_number, check_type, checked_timeout
from genderclient._retry import Retry

DEFAULT_MODEL: Final = "gender_mobilenet"
DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_UNKNOWN_BELOW: Final = 0.64
DEFAULT_RETRY: Final = Retry()

_HEADER_NAME: Final = re.compile(r"[a-z0-9_.-]+")
_RESERVED: Final = ("authorization", "content-length", "content-encoding", "host", "inference-header-content-length")


class RequestChanges(TypedDict, total=False):
    """The arguments of `Client.with_options`."""

    model: str
    model_version: str | None
    timeout_s: float
    unknown_below: float
    retry: Retry
    headers: Mapping[str, str]
    ignore_invalid_avatar: bool
    allow_paths: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """The checked options of a client's requests. `Client` documents them."""

    model: str = DEFAULT_MODEL
    timeout_s: float = DEFAULT_TIMEOUT_S
    unknown_below: float = DEFAULT_UNKNOWN_BELOW
    retry: Retry = DEFAULT_RETRY
    model_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ignore_invalid_avatar: bool = False
    allow_paths: bool = True

    def __post_init__(self) -> None:
        check_type("model", self.model, str, "the name of a model")
        check_type("model_version", self.model_version, (str, type(None)), "text such as '1', or None")
        check_type("retry", self.retry, Retry, "a Retry")
        check_type("ignore_invalid_avatar", self.ignore_invalid_avatar, bool, "True or False")
        check_type("allow_paths", self.allow_paths, bool, "True or False")
        checked_timeout(self.timeout_s)
        check_number("unknown_below", self.unknown_below, "a probability from 0 to 1")
        if not 0 <= self.unknown_below <= 1:
            raise ValueError(f"unknown_below: got {self.unknown_below}, expected a probability from 0 to 1")
        if not self.model:
            raise ValueError("model: got an empty name; expected the name of a model")
        if self.model_version is not None and not self.model_version.isdecimal():
            raise ValueError("model_version: expected a number as text, such as '1'")
        _check_headers(self.headers)


def _check_headers(headers: Mapping[str, str]) -> None:
    check_type("headers", headers, Mapping, "a mapping of names to text")
    for name, value in headers.items():
        check_type("headers", name, str, "names as text")
        check_type(f"headers[{name!r}]", value, str, "text")
        if not _HEADER_NAME.fullmatch(name) or name.endswith("-bin") or name.startswith("grpc-"):
            raise ValueError(f"headers: got the name {name!r}, expected lower-case letters, digits, '-', '_' and '.'")
        if name in _RESERVED:
            raise ValueError(f"headers: the client sets {name!r} itself; use `token` for authorization")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"headers[{name!r}]: expected visible ASCII characters")
