"""Fetching of avatars from the web."""

from genderclient.fetching.fetcher import AvatarFetcher

__all__ = ["AvatarFetcher"]
