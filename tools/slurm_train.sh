#!/usr/bin/env bash
# Under Slurm, one process per GPU:
#   tools/slurm_train.sh PARTITION JOB CONFIG [flags of tools/train.py]
# GPUS (all, default 8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) in the environment; further options
# of srun in the file named by SRUN_ARGS_FILE, one option a line.
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,5s/^# //p' "$0" >&2; exit 2; fi
partition=$1
job=$2
shift 2
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
if [ "$gpus" -lt "$per_node" ]; then per_node=$gpus; fi
extra=()
if [ -n "${SRUN_ARGS_FILE:-}" ]; then mapfile -t extra <"$SRUN_ARGS_FILE"; fi
here=$(cd "$(dirname "$0")" && pwd)
exec srun -p "$partition" --job-name="$job" --gres="gpu:$per_node" --ntasks="$gpus" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
    ${extra[@]+"${extra[@]}"} "${PYTHON:-python}" -u "$here/train.py" "$@" --launcher slurm
