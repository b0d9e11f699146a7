"""The peers' servers; each runs in an environment of its own and imports only `genderprep` of this project."""
