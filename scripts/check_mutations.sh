#!/bin/sh
# Breaks kernels on purpose, one at a time, and wants `make test-cuda`'s tests to fail for each: a test that cannot fail
# proves nothing. With a word, only the mutations whose names have it.
set -u
only=${1:-}
cd "$(dirname "$0")/.."
eval "export $(sh scripts/cuda_env.sh "$(sh scripts/cuda_headers.sh)")"
export DNS_TUI_NEED_CUDA=1
work=build/cuda/mutant
rm -rf $work
survived=0
go test -c -tags cuda -o $work/cuda.test ./gpu/cuda && go test -c -tags cuda -o $work/model.test ./model/session || exit 1
emulator() { # checked or fast: the emulator of the mutant
    make -s -C $work/src/emulator OUT="$PWD/$work/emulator" "$PWD/$work/emulator/$1/libcuda.so.1" >/dev/null 2>&1
}
mutate() { # name, file, from, to
    case $1 in *"$only"*) ;; *) return ;; esac
    rm -rf $work/src $work/emulator/*/
    mkdir -p $work/src
    cp -rp gpu/cuda/kernels gpu/cuda/emulator $work/src/
    file=$work/src/kernels/$2
    before=$(cksum <"$file")
    sed -i "s#$3#$4#" "$file"
    if [ "$before" = "$(cksum <"$file")" ]; then echo "$1: nothing changed"; survived=1; return; fi
    if ! emulator checked; then echo "$1: does not compile"; survived=1; return; fi
    if (cd gpu/cuda && LD_LIBRARY_PATH=../../$work/emulator/checked ../../$work/cuda.test -test.failfast -test.run Conformance/Graphs) >$work/out.txt 2>&1 &&
        emulator fast && (cd model/session && LD_LIBRARY_PATH=../../$work/emulator/fast ../../$work/model.test -test.failfast -test.run 'CUDA(LeNet|Surgery|SoftRule|Unstable)') >>$work/out.txt 2>&1; then
        echo "$1: SURVIVED"
        survived=1
    else
        echo "$1: caught by $(grep -o -- '--- FAIL: [^ ]*' $work/out.txt | tail -n 1 | cut -c11-), $(grep -m 1 '_test.go:\|devicetest\|spatial.go\|training.go\|soft.go\|order.go\|emulator:' $work/out.txt | sed 's/^ *//' | cut -c1-110)"
    fi
}
mutate "update forgets momentum" train.cu 'u.rate \* g + m \* h;' 'u.rate * g;'
mutate "surgery splices at the lower limit" train.cu 'a > high' 'a > low'
mutate "update trains behind the gate" train.cu 'bool go = !gate || finite(\*gate);' 'bool go = true;'
mutate "shares of k are not all added" product.cuh 'k < shares.count; k++) v' 'k < shares.count - 1; k++) v'
mutate "convolution reads one row too far" conv.cuh '(unsigned)(r.h + t.h) >= (unsigned)g.h ||' ''
mutate "a barrier is missing" product.cuh '		__syncthreads();' '		;'
mutate "the last of equals wins" spatial.cu 'u > best || u != u' 'u >= best || u != u'
mutate "dropout draws another block" vector.cu 'philox(k, at >> 2)' 'philox(k, at >> 3)'
mutate "soft: theta is dropped" train.cu '(pruned ? u.pruned_scale : u.scale)' 'u.scale'
mutate "soft: an entry on the cut is kept" train.cu '!(fabsf(w) <= p.soft.cut)' '!(fabsf(w) < p.soft.cut)'
mutate "soft: signs are lost" train.cu 'copysignf(magnitude(a), w)' 'magnitude(a)'
mutate "soft: update leaves whole weights" train.cu 'u.soft.forward(w)' 'kept(w)'
mutate "soft: p of 3 and more is 3" train.cu 'exponent == 3' 'exponent >= 3'
mutate "soft: p = 2 is p = 1" train.cu 'exponent == 1' 'exponent <= 2'
mutate "soft: one step less to the cube root" train.cu 'k < 2; k++) {' 'k < 1; k++) {'
mutate "soft: digits are lost near the cut" train.cu 'log1pf(-over / a)' 'logf(c / a)'
mutate "soft: the bias is measured too" train.cu 'if (rule == SOFT_RULE) break;' ''
mutate "soft: what is known is measured" train.cu 'flags & MEASURED' 'false'
mutate "soft: nothing is rewritten" train.cu '(REDRAW | REWRITE)' 'REDRAW'
mutate "soft: it is rewritten behind the gate" train.cu 'write = go \&\& p.flags' 'write = p.flags'
mutate "bins by magnitude are one off" train.cu '>> 16) - base' '>> 16) - base + 1'
mutate "bins by magnitude are about the mean" train.cu 's.rule == SEED_RULE ? r->mu : 0.0f' 'r->mu'
[ $survived = 0 ] && echo "ok: every mutation was caught"
exit $survived
