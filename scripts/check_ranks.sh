#!/bin/sh
# n ranks against one with n times the iter_size: LeNet-5 with surgery, from the dense one of testdata, through each
# engine that this machine has. The weights files must be the same to the bit, and so the masks; the losses and tests that
# are printed, too. RANKS="2 3 4" says how many, ITERS how many iterations.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
dns=${DNS_TUI:-$root/bin/dns-tui}
demo=$root/build/demo
iters=${ITERS:-200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ln -s "$demo/mnist_train_lmdb" "$demo/mnist_test_lmdb" .
solver() { # NAME ITER_SIZE
	cat > "$1.prototxt" <<EOF
net: "$root/testdata/nets/lenet_dns.prototxt"
test_iter: 30 test_interval: 100 display: 20 max_iter: $iters snapshot_prefix: "$1" iter_size: $2
base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 lr_policy: "inv" gamma: 0.0003 power: 0.75
random_seed: 1 solver_mode: CPU surgery_iter_gamma: 0.001 surgery_iter_power: 1
EOF
}
weights=$root/testdata/models/lenet5_dense.caffemodel
# What a run prints of losses and tests, without speeds and times.
figures() { sed -n 's/ *iteration *\([0-9]*\) *\(loss [0-9.e-]*\).*\(kept *[0-9]*\).*/\1 \2 \3/p; s/ *\(iteration.*test .*\)/\1/p' "$1"; }
failed=0
compare() { # RANKS ENGINE
	name=$1-$2
	if ! grep -q "sums by" "$name.txt"; then
		echo "| $1 | $2 | failed: $(tail -1 "$name.txt") |"
		failed=1
		return
	fi
	same=differ
	cmp -s "alone${1}_iter_$iters.caffemodel" "${name}_iter_$iters.caffemodel" && same="the same bits"
	figures "alone$1.txt" > a; figures "$name.txt" > b
	lines=differ
	cmp -s a b && test -s a && lines="the same"
	echo "| $1 | $(sed -n 's/.*sums by \([^:]*\):.*/\1/p' "$name.txt" | head -1) | weights and masks: $same | losses, tests: $lines |"
	test "$same$lines" = "the same bitsthe same" || failed=1
}
by_environment() { # RANKS NAME ENGINE
	rank=$(($1 - 1))
	while [ $rank -ge 0 ]; do
		RANK=$rank WORLD_SIZE=$1 LOCAL_RANK=$rank MASTER_ADDR=127.0.0.1 MASTER_PORT=${PORT:-29611} DNS_TUI_ENGINE=$3 \
			"$dns" train --solver "$2.prototxt" --weights "$weights" > "$2.$rank.txt" 2>&1 &
		rank=$((rank - 1))
	done
	wait
	mv "$2.0.txt" "$2.txt"
}
echo "| ranks | engine | | |"
echo "| --- | --- | --- | --- |"
for n in ${RANKS:-2 3 4}; do
	solver "alone$n" "$n"
	"$dns" train --solver "alone$n.prototxt" --weights "$weights" > "alone$n.txt" 2>&1 || { cat "alone$n.txt"; exit 1; }
	solver "$n-shared" 1
	"$dns" train --solver "$n-shared.prototxt" --ranks "$n" --weights "$weights" > "$n-shared.txt" 2>&1
	compare "$n" shared
	solver "$n-tcp" 1
	by_environment "$n" "$n-tcp" tcp
	compare "$n" tcp
	for mpi in openmpi mpich; do
		command -v "mpirun.$mpi" > /dev/null || { echo "| $n | $mpi | not on this machine |"; continue; }
		solver "$n-$mpi" 1
		root_flag=
		test "$mpi" = openmpi && root_flag="--oversubscribe --allow-run-as-root --bind-to none"
		# shellcheck disable=SC2086
		(ulimit -v 8000000; exec "mpirun.$mpi" $root_flag -n "$n" "$dns" train --solver "$n-$mpi.prototxt" --weights "$weights" > "$n-$mpi.txt" 2>&1)
		compare "$n" "$mpi"
	done
done
exit $failed
