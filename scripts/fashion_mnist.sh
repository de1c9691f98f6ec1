#!/bin/sh
# Fetches Fashion-MNIST (Zalando Research, MIT licence) into build/results, as Debian's package dataset-fashion-mnist has
# it, and makes databases of it. Nothing is installed. NO_INSTALL=1: fetches nothing.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/results
cd build/results
[ -d fashion_test_lmdb ] && exit 0
package=dataset-fashion-mnist
sum=39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0
images=$(find /usr/share/datasets/fashion-mnist -name 'train-images-idx3-ubyte*' 2>/dev/null | head -n 1)
if [ -n "$images" ]; then
    dir=$(dirname "$images")
else
    if [ -n "${NO_INSTALL:-}" ]; then
        echo "no Fashion-MNIST, and NO_INSTALL is set (Debian: apt-get install $package)" >&2
        exit 1
    fi
    echo "fetching Debian's package $package (31 MB)" >&2
    tmp=$(mktemp -d)
    trap 'rm -rf "$tmp"' EXIT
    (cd "$tmp" && apt-get download -qq "$package" 2>/dev/null) || {
        echo "no Fashion-MNIST: apt-get download $package failed" >&2
        exit 1
    }
    deb=$(find "$tmp" -name '*.deb')
    echo "$sum  $deb" | sha256sum -c --status || { echo "$package is not the version that is known: its checksum differs" >&2; exit 1; }
    dpkg-deb -x "$deb" "$tmp/x"
    dir=$tmp/x/usr/share/datasets/fashion-mnist
fi
rm -rf idx fashion_train_lmdb fashion_test_lmdb
mkdir idx
for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
    if [ -f "$dir/$f-ubyte.gz" ]; then gzip -dc "$dir/$f-ubyte.gz" > "idx/$f-ubyte"; else cp "$dir/$f-ubyte" idx/; fi
done
../../bin/dns-tui dataset mnist idx fashion_train_lmdb
../../bin/dns-tui dataset mnist --split test idx fashion_test_lmdb
rm -rf idx
