#!/bin/sh
# Triton in a container: whoever asks it to load models, map memory, log or trace is refused, for want of a key that is
# made here and told to nobody. Further flags of Triton's own are passed on.
set -eu
closed=model-repository,shared-memory,logging,trace
key=$(cat /proc/sys/kernel/random/uuid)
# Served are the models that were published, and no others.
for argument; do
    repository=${argument#--model-repository=}
    [ ! -f "$repository/SHA256SUMS" ] || (cd "$repository" && sha256sum --check --quiet SHA256SUMS)
done
# For health.sh: the process stays the same.
echo $$ > "${TMPDIR:-/tmp}/triton.pid"
exec tritonserver \
    --http-restricted-api="$closed:closed=$key" \
    --grpc-restricted-protocol="$closed:closed=$key" \
    --allow-gpu-metrics=false \
    --pinned-memory-pool-byte-size=0 \
    --exit-timeout-secs=15 \
    "$@"
