#!/bin/sh
# Whether Triton's wheel can run here; says in one line what to do if not. Usage: check_machine.sh PYTHON
python=$1
machine=$(uname -sm)
[ "$machine" = "Linux x86_64" ] || { echo "needs Linux on x86-64, this is $machine; use NVIDIA's Triton container" >&2; exit 1; }
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    { echo "no Python under the name '$python'; say which one, as in: make run PYTHON=python3.11" >&2; exit 1; }
case $version in
    3.11 | 3.12) ;;
    *) echo "needs Python 3.11 or 3.12, '$python' is $version; say which one, as in: make run PYTHON=python3.11" >&2; exit 1 ;;
esac
