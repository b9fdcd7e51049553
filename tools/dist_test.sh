#!/usr/bin/env bash
# Test with several processes on this machine (one per GPU; gloo without a GPU).
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [flags of tools/test.py]
# More machines: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
config=$1
checkpoint=$2
processes=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$processes" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$here/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
