#!/bin/sh
# Check that Triton's wheel can run on this machine; otherwise print what to do. Usage: check_machine.sh PYTHON
python=$1
machine=$(uname -sm)
[ "$machine" = "Linux x86_64" ] || { echo "expected Linux on x86-64, got $machine; use NVIDIA's Triton container" >&2; exit 1; }
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    { echo "expected a Python named '$python', found none; choose another, for example: make run PYTHON=python3.11" >&2; exit 1; }
case $version in
    3.11 | 3.12) ;;
    *) echo "expected Python 3.11 or 3.12, got $version from '$python'; choose another, for example: make run PYTHON=python3.11" >&2; exit 1 ;;
esac
