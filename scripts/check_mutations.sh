#!/bin/sh
# Breaks kernels on purpose, one at a time, and wants `make test-cuda`'s tests to fail for each: a test that cannot fail
# proves nothing. Sources are broken, and compiled by the C++ compiler; and the PTX is, in what ships and is run as it is.
# With a word, only the mutations whose names have it.
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
# wanted: name, and then the command whose tests must fail. What it prints is in out.txt.
wanted() {
    name=$1
    shift
    if "$@" >$work/out.txt 2>&1; then
        echo "$name: SURVIVED"
        survived=1
    else
        echo "$name: caught by $(grep -o -- '--- FAIL: [^ ]*' $work/out.txt | tail -n 1 | cut -c11-), $(grep -m 1 '_test.go:\|devicetest\|spatial.go\|training.go\|soft.go\|order.go\|emulator:' $work/out.txt | sed 's/^ *//' | cut -c1-150)"
    fi
}
tests_of_source() {
    (cd gpu/cuda && LD_LIBRARY_PATH=../../$work/emulator/checked ../../$work/cuda.test -test.failfast -test.run Conformance/Graphs) &&
        (cd gpu/cuda && LD_LIBRARY_PATH=../../$work/emulator/checked \
            ../../$work/cuda.test -test.failfast -test.run CopiesOfFilters) &&
        emulator fast && (cd model/session && LD_LIBRARY_PATH=../../$work/emulator/fast ../../$work/model.test -test.failfast -test.run 'CUDA(LeNet|Surgery|SoftRule|Unstable)')
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
    wanted "$1" tests_of_source
}
tests_of_ptx() {
    for tests in EveryTile ChannelsLast CopiesOfFilters Conformance/Graphs; do
        (cd gpu/cuda && LD_LIBRARY_PATH=../../build/cuda/emulator/ptx ../../$work/ptx.test -test.failfast -test.run $tests) || return 1
    done
}
# mutate_ptx changes the n-th line of a kernel that has a pattern; the program is built with that PTX in it.
mutate_ptx() { # name, module, kernel, n, from, to
    name="PTX: $1"
    case $name in *"$only"*) ;; *) return ;; esac
    gzip -dc gpu/cuda/kernels/$2.ptx.gz >$work/$2.ptx
    line=$(KERNEL="entry $3(" FROM=$5 N=$4 awk 'index($0, ENVIRON["KERNEL"]) { on = 1 } /^}/ { on = 0 }
        on && $0 ~ ENVIRON["FROM"] && ++n == ENVIRON["N"] { print NR; exit }' $work/$2.ptx)
    if [ -z "$line" ]; then echo "$name: nothing changed"; survived=1; return; fi
    sed -E "${line}s#$5#$6#" $work/$2.ptx | gzip -n >$work/$2.ptx.gz
    echo "{\"Replace\": {\"$PWD/gpu/cuda/kernels/$2.ptx.gz\": \"$PWD/$work/$2.ptx.gz\"}}" >$work/overlay.json
    if ! go test -c -tags cuda -overlay $work/overlay.json -o $work/ptx.test ./gpu/cuda; then echo "$name: does not compile"; survived=1; return; fi
    wanted "$name" tests_of_ptx
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
mutate "copies: update leaves them" train.cu 'if (go) s.copy.write(' 'if (false) s.copy.write('
mutate "copies: a fourth of an update is left out" train.cu 'e < 4 \&\& i < s.n' 'e < 3 \&\& i < s.n'
mutate "copies: surgery leaves them" train.cu 'if (write) s.copy.write(' 'if (false) s.copy.write('
mutate "copies: groups lie elsewhere" filters.cuh '(long long)group \* channels + c' '(long long)c'
mutate "copies: -0 loses its sign" filters.cuh \
    'unsigned u = __float_as_uint(v);' 'unsigned u = __float_as_uint(v + 0.0f);'
mutate "bins by magnitude are one off" train.cu '>> 16) - base' '>> 16) - base + 1'
mutate "bins by magnitude are about the mean" train.cu 's.rule == SEED_RULE ? r->mu : 0.0f' 'r->mu'
make -s emulator
mutate_ptx "a barrier of the tile of 32 is missing" kernels gemm_nn_32 3 'bar.sync.*' ''
mutate_ptx "a barrier of bf16's tile of 128 is missing" tensor gemm_tn_bf16_128 3 'bar.sync.*' ''
mutate_ptx "the barrier behind partial sums is missing" kernels dot 1 'bar.sync.*' ''
mutate_ptx "a word of shared memory further" kernels conv_128 2 '(st.shared.*%r[0-9]+)\]' '\1+4]'
mutate_ptx "a load from four bytes further" kernels relu 1 '(ld.global.f32.*%rd[0-9]+)\]' '\1+4]'
mutate_ptx "the bound of a row is not looked at" kernels softmax_rows 2 '@%p' '@!%p'
mutate_ptx "one element more than there are" kernels relu 1 'setp.ge.s32' 'setp.gt.s32'
mutate_ptx "a sum with one lane twice" kernels dot 1 '(mov.u32.*), 16;' '\1, 8;'
mutate_ptx "rows of a matrix fragment change places" tensor conv_tf32_128 1 '(mma.*)[{](%r[0-9]+),(%r[0-9]+),(%r[0-9]+,%r[0-9]+)[}]' '\1{\3,\2,\4}'
mutate_ptx "a half of two is the other's" tensor gemm_nt_bf16_64 1 '(bf16x2.f32 %r[0-9]+), (%f[0-9]+), (%f[0-9]+)' '\1, \3, \2'
mutate_ptx "what is copied is not awaited" nhwc nhwc_conv_bf16_128 1 'cp.async.wait_group 1' 'cp.async.wait_group 2'
mutate_ptx "the barrier behind copies is missing" nhwc nhwc_conv_bf16_64 1 'bar.sync.*' ''
mutate_ptx "matrices are not transposed" nhwc nhwc_conv_backward_weights_bf16_64 1 'x4.trans' 'x4'
mutate_ptx "padding is copied" nhwc nhwc_conv_bf16_64 1 'selp.b32(.*), 0, 16,' 'selp.b32\1, 16, 16,'
mutate_ptx "a chunk lies eight bytes further" nhwc nhwc_conv_backward_data_bf16_64 1 '(ldmatrix.*%r[0-9]+)\]' '\1+8]'
mutate_ptx "the mean of a channel is added" nhwc nhwc_batch_norm_f32 1 'sub.f32' 'add.f32'
mutate_ptx "float32 is not awaited" nhwc nhwc_conv_tf32_64 1 'cp.async.wait_group 1' 'cp.async.wait_group 2'
mutate_ptx "copies of filters are not rounded to nearest" kernels copy_filters 1 'add.s32(.*), 4096;' 'add.s32\1, 0;'
mutate_ptx "operands are not rounded" nhwc nhwc_conv_tf32_64 1 'cvt.rna.tf32.f32 (%r[0-9]+), (%f[0-9]+)' 'mov.b32 \1, \2'
mutate_ptx "words across lie elsewhere" nhwc nhwc_conv_backward_weights_tf32_64 3 '(ld.shared.f32.*%r[0-9]+)\]' '\1+16]'
mutate_ptx "two words of a row are one" tensor staged_gemm_nn_bf16_64 1 '(bf16x2.f32 %r[0-9]+), (%f[0-9]+), (%f[0-9]+)' '\1, \2, \2'
mutate_ptx "each block counts as two" kernels dot 1 '(atom.global.add.*), 1;' '\1, 2;'
mutate_ptx "a logarithm for a power" kernels unary 1 'ex2.approx' 'lg2.approx'
[ $survived = 0 ] && echo "ok: every mutation was caught"
exit $survived
