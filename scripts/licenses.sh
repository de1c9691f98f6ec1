#!/bin/sh
# Copies the licence of each module of which something is in a program, and Go's, into a folder: licenses.sh FOLDER PACKAGE...
# TAGS are build tags, LISTFLAGS=-test includes what tests are made of. A module without a licence is an error: it may not be handed on.
set -eu
cd "$(dirname "$0")/.."
out=$1
shift
mkdir -p "$out/go"
cp "$(go env GOROOT)/LICENSE" "$out/go/LICENSE"
go list -deps ${LISTFLAGS:-} -tags "${TAGS:-}" -f '{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}} {{.Dir}}{{end}}{{end}}' "$@" | sort -u | while read -r module dir; do
    found=$(find "$dir" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'copyright*' -o -iname 'patents*' \))
    case $module in
    # The C source of LMDB has its own.
    github.com/PowerDNS/lmdb-go@*) found="$found $(find "$dir" -type f -path '*lmdb*' \( -iname 'licen[cs]e*' -o -iname 'copyright*' \))" ;;
    esac
    if [ -z "$found" ]; then
        echo "$module has no licence in $dir" >&2
        exit 1
    fi
    mkdir -p "$out/$module"
    for f in $found; do
        cp -n "$f" "$out/$module/"
        chmod u+w "$out/$module/$(basename "$f")"
    done
done
