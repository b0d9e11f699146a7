#!/bin/sh
# Compile the pins: name==version with hashes, the same for Python 3.11 and 3.12.
set -eu
compile() {
    uv pip compile --quiet --no-header --no-annotate --generate-hashes \
        --python-version 3.11 --python-platform x86_64-manylinux_2_35 "$@"
}
compile pyproject.toml --extra serve --extra demo --extra train --extra perf --extra dev --output-file requirements/dev.txt
compile pyproject.toml --extra serve --constraints requirements/dev.txt --output-file requirements/serve.txt
compile pyproject.toml --extra serve --extra demo --constraints requirements/dev.txt --output-file requirements/demo.txt
compile requirements/audit.in --output-file requirements/audit.txt
compile requirements/package.in --output-file requirements/package.txt
compile requirements/compat.in --output-file requirements/compat.txt
compile requirements/oldest_runtime.in --output-file requirements/oldest_runtime.txt
# For the images in docker/.
echo 'setuptools>=77' | compile - --constraints requirements/dev.txt --output-file requirements/build.txt
compile pyproject.toml --extra container --constraints requirements/dev.txt --output-file requirements/container.txt
compile pyproject.toml --extra serve --extra train --constraints requirements/dev.txt --output-file requirements/train.txt
# The comparison with the peers requires the same versions of the packages that do the work. All others are free.
for peer in requirements/peers/*.in; do
    sed -n -E 's/^((numpy|onnxruntime|pillow|regex)==[^ ]+).*/\1/p' requirements/dev.txt |
        compile - "$peer" --output-file "${peer%.in}.txt"
done
