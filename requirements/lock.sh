#!/bin/sh
# Compile the pins: name==version with hashes, the same for Python 3.11 and 3.12.
set -eu
compile() {
    uv pip compile --quiet --no-header --no-annotate --generate-hashes \
        --python-version 3.11 --python-platform x86_64-manylinux_2_35 "$@"
}
compile pyproject.toml --extra serve --extra train --extra perf --extra dev --output-file requirements/dev.txt
compile pyproject.toml --extra serve --constraints requirements/dev.txt --output-file requirements/serve.txt
compile requirements/audit.in --output-file requirements/audit.txt
# What the peers run is of the same versions as here: they are compared.
for peer in requirements/peers/*.in; do
    printf 'numpy\nonnxruntime\npillow\nregex\n' |
        compile - "$peer" --constraints requirements/dev.txt --output-file "${peer%.in}.txt"
done
