#!/bin/sh
# Kills a run with SIGKILL at random moments, resumes it from its last snapshot each time, and wants exactly the weights
# of a run that nobody disturbed.
set -eu
cd "$(dirname "$0")/../build/demo"
bin=../../bin/dns-tui
net=$(pwd)/../../testdata/nets/lenet_dns.prototxt
for name in whole killed; do
    rm -f ${name}_iter_* $name.journal
    cat > $name.prototxt <<EOF
net: "$net"
base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 lr_policy: "inv" gamma: 0.0001 power: 0.75
max_iter: 400 snapshot: 25 snapshot_prefix: "$name" random_seed: 3 average_loss: 10
surgery_iter_gamma: 0.01 surgery_iter_power: 1
EOF
done
$bin train --solver whole.prototxt > whole.log
kills=0
start="--solver killed.prototxt"
while :; do
    $bin train $start > killed.log 2>&1 &
    pid=$!
    sleep "$(awk -v seed="$kills$$" 'BEGIN { srand(seed); print 0.5 + 1.5 * rand() }')"
    if ! kill -9 $pid 2>/dev/null; then wait $pid; break; fi
    wait $pid 2>/dev/null || true
    kills=$((kills + 1))
    if ls killed_iter_*.solverstate >/dev/null 2>&1; then start="--solver killed.prototxt --resume"; fi
    if [ $kills -gt 100 ]; then echo "no progress after 100 kills"; exit 1; fi
done
cmp whole_iter_400.caffemodel killed_iter_400.caffemodel
echo "ok: killed $kills times, same weights"
