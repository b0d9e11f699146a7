#!/bin/sh
# Starts Triton in a container with the given flags. A random key locks model control, shared memory, logging and
# tracing. It stands on Triton's command line, so users of the host can read it in the process list.
set -eu
# Other users must not read Triton's files, such as traces.
umask 077
closed=model-repository,shared-memory,logging,trace
key=$(cat /proc/sys/kernel/random/uuid)
folder=${TMPDIR:-/tmp}
# In a cluster, they outlive the container.
rm -rf "$folder"/models.*
# Serve only files that SHA256SUMS lists, and a private copy of them, which nobody changes after the check.
for argument; do
    shift
    case $argument in
        --model-repository | --model-store*)
            echo "$argument: expected --model-repository=FOLDER, whose files are then verified" >&2
            exit 2
            ;;
    esac
    repository=${argument#--model-repository=}
    if [ -f "$repository/SHA256SUMS" ]; then
        copy=$(mktemp -d "$folder/models.XXXXXX")
        cp -RL "$repository/." "$copy"
        (
            cd "$copy"
            # As the launcher: hidden files, such as unfinished versions, are not served; versions may have been removed.
            find . -mindepth 1 \( -name '.*' ! -name .gitkeep -o -name __pycache__ \) -prune -exec rm -rf {} +
            sha256sum --check --quiet --ignore-missing SHA256SUMS
            # The path follows 64 digits and two spaces.
            find ./*/ ! -type d | while IFS= read -r file; do
                cut -c 67- SHA256SUMS | grep -qxF "${file#./}" || { echo "$file is not in SHA256SUMS" >&2; exit 1; }
            done
        )
        argument=--model-repository=$copy
    fi
    set -- "$@" "$argument"
done
# For health.sh. exec keeps the process id.
echo $$ > "$folder/triton.pid"
exec tritonserver \
    --http-restricted-api="$closed:closed=$key" \
    --grpc-restricted-protocol="$closed:closed=$key" \
    --allow-gpu-metrics=false \
    --pinned-memory-pool-byte-size=0 \
    --rate-limit=execution_count \
    --exit-timeout-secs=15 \
    "$@"
