"""Predict or rank for a table on a Ray cluster. Needs the packages of `genderclient[ray]`."""
