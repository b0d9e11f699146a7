"""Score a table on a Ray cluster. Needs the packages of `genderclient[ray]`."""
