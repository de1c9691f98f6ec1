#!/bin/sh
# Makes the results of docs/results.md and compares them with what is claimed: LeNet-5 and LeNet-300-100 on MNIST, the
# ablation, CIFAR-10 quick on Fashion-MNIST. The test set is read once a run, at its end.
#   SEEDS=n    seeds 1 to n of each (1)
#   ONLY=name  one part: lenet5, lenet300, ablation, fashion; fashion_dense: the dense net of fashion, anew
#   LANES=n    so many runs at a time, a thread each (2)
#   POINTS=".." times smaller, of the Fashion-MNIST frontier ("50" for one seed, "2 10 20 50" for more)
# What is measured already is not measured again, unless its solver, net or flags have changed: build/results/*.result has
# a line a run.
set -eu
scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../build/results"
seeds=${SEEDS:-1}
points=${POINTS:-50}
[ "$seeds" -gt 1 ] && points=${POINTS:-2 10 20 50}
bin=../../bin/dns-tui
solvers=../../testdata/results
models=../../testdata/models

# solver NAME SEED TO: a copy of a solver, and of its net, with a prefix and a seed of its own, by which the train data
# is shuffled: nothing else of such a run is random.
solver() {
    net=$(awk -F'"' '/^net:/ { print $2 }' "$solvers/$1.solver.prototxt")
    sed -e '0,/batch_size/s//shuffle: true batch_size/' "$solvers/$net" > "$3.net.prototxt"
    sed -e "s/random_seed: 1/random_seed: $2/" -e "s|^net: .*|net: \"$3.net.prototxt\"|" \
        -e "s/snapshot_prefix: .*/snapshot_prefix: \"$3\"/" "$solvers/$1.solver.prototxt" > "$3.solver.prototxt"
}

# measure RESULT SEED SOLVER WEIGHTS [FLAGS...]: one run; a line of name, seed, kept, total, accuracy and seconds.
measure() {
    result=$1
    seed=$2
    solver=$3
    weights=$4
    shift 4
    to=${result}_$seed
    solver "$solver" "$seed" "$to"
    { echo "$weights $*"; cat "$to.solver.prototxt" "$to.net.prototxt"; } > "$to.asked"
    [ -s "$to.result" ] && cmp -s "$to.asked" "$to.done" && return
    rm -f "$to.result"
    start=$(date +%s)
    "$bin" train --threads 1 --solver "$to.solver.prototxt" --weights "$weights" "$@" > "$to.log" 2>&1 || true
    seconds=$(($(date +%s) - start))
    accuracy=$(awk '/test  accuracy/ { a = $5 } END { print a }' "$to.log")
    if [ -z "$accuracy" ]; then
        echo "$result, seed $seed, failed: $(tail -n 1 "$to.log")"
        exit 1
    fi
    awk -v r="$result" -v n="$seed" -v a="$accuracy" -v t="$seconds" \
        '/^  all/ { k = $3; total = $5 } END { print r, n, k + 0, total + 0, a, t }' "$to.log" > "$to.part"
    mv "$to.part" "$to.result"
    mv "$to.asked" "$to.done"
    rm -f "$to"_guard_iter_*
    cat "$to.result"
}
if [ "${1:-}" = measure ]; then
    shift
    measure "$@"
    exit
fi

# dense NAME ITER: a net that is trained from nothing.
dense() {
    [ -s "$1_iter_$2.caffemodel" ] && return
    solver "$1" 1 "$1"
    "$bin" train --threads "${LANES:-2}" --solver "$1.solver.prototxt" > "$1.log" 2>&1
    awk '/test  accuracy/ { a = $5 } END { print "'"$1"'", a }' "$1.log"
}

wanted() { [ -z "${ONLY:-}" ] || [ "$ONLY" = "$1" ]; }

# runs prints what is to be measured, the longest first.
runs() {
    mlp=lenet_300_100_dense_iter_15000.caffemodel
    quick=$models/fashion_quick_dense.caffemodel
    for seed in $(seq "$seeds"); do
        if wanted lenet5; then
            echo lenet5_310x "$seed" lenet5 $models/lenet5_dense.caffemodel
            # One seed of all is to take less than 20 minutes: there 400x has 12,000 iterations, not 60,000.
            if [ "$seeds" -gt 1 ]; then
                echo lenet5_400x "$seed" lenet5 $models/lenet5_dense.caffemodel --target 400x
            else
                echo lenet5_400x_short "$seed" lenet5_ablation $models/lenet5_dense.caffemodel --target 400x
            fi
        fi
        if wanted fashion; then
            for x in $points; do
                of="$seed fashion $quick --target ${x}x"
                echo fashion_soft_${x}x "$of"
                echo fashion_seed_${x}x "$of" --target-rule seed --target-scale sigma --target-schedule one_shot
                # Gradual magnitude pruning (Zhu and Gupta): about the same part of each layer (so many deviations of
                # its weights), the cubic schedule, nothing comes back. By a global threshold it loses whole layers.
                echo fashion_gradual_${x}x "$of" --target-scale sigma --target-exponent inf --target-theta 0 \
                    --target-schedule cubic --target-interval 100
            done
        fi
        if wanted lenet300; then
            echo lenet300_114x "$seed" lenet_300_100 $mlp
            echo lenet300_150x "$seed" lenet_300_100 $mlp --target 150x
        fi
        if wanted ablation; then # LeNet-300-100 by the soft rule is lenet300_114x
            dense=$models/lenet5_dense.caffemodel
            echo lenet5_short_soft "$seed" lenet5_ablation $dense
            echo lenet5_short_hard "$seed" lenet5_ablation $dense --target-exponent inf
            echo lenet5_short_no_splicing "$seed" lenet5_ablation $dense --target-exponent inf --target-theta 0
            echo lenet300_hard "$seed" lenet_300_100 $mlp --target-exponent inf
            echo lenet300_no_splicing "$seed" lenet_300_100 $mlp --target-exponent inf --target-theta 0
        fi
    done
}

for part in train test; do
    [ -e mnist_${part}_lmdb ] || ln -s ../demo/mnist_${part}_lmdb .
done
if wanted lenet300 || wanted ablation; then dense lenet_300_100_dense 15000; fi
if [ "${ONLY:-}" = fashion_dense ]; then dense fashion_dense 5000; fi
failed=0
runs | xargs -r -L 1 -P "${LANES:-2}" sh "$scripts/check_results.sh" measure || failed=1
echo
cat ./*.result | sort | awk '
    { n[$1]++; sum[$1] += $5; all[$1] = all[$1] " " $5; kept[$1] = $3; total[$1] = $4; time[$1] += $6
      if (min[$1] == "" || $5 < min[$1]) min[$1] = $5 }
    END {
        printf "%-22s %8s %9s %5s %9s %9s %8s  %s\n", "result", "kept", "smaller", "seeds", "mean", "least", "seconds", "each"
        for (r in n) printf "%-22s %8d %8.1fx %5d %9.4f %9s %8d %s\n", r, kept[r], total[r] / (kept[r] ? kept[r] : 1),
            n[r], sum[r] / n[r], min[r], time[r] / n[r], all[r]
    }' | { read -r head; echo "$head"; sort; }
cat ./*.result | awk '
    function need(r, times, accuracy) { times_[r] = times; accuracy_[r] = accuracy }
    BEGIN { need("lenet5_310x", 310, 0.9909); need("lenet300_114x", 114, 0.9801) }
    $1 in times_ { n[$1]++; sum[$1] += $5; if ($4 / ($3 ? $3 : 1) < times_[$1]) short[$1] = 1 }
    END {
        for (r in n) if (sum[r] / n[r] < accuracy_[r] || short[r]) {
            printf "%s: wanted a mean of %.4f at %dx, found %.4f\n", r, accuracy_[r], times_[r], sum[r] / n[r]; bad = 1
        }
        exit bad
    }' || failed=1
exit $failed
