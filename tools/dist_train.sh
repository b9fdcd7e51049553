#!/usr/bin/env bash
# Train with several processes on this machine (one per GPU; gloo without a GPU).
#   tools/dist_train.sh CONFIG PROCESSES [flags of tools/train.py]
# More machines: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
config=$1
processes=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$processes" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$here/train.py" "$config" --launcher pytorch "$@"
