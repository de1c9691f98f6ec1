#!/bin/sh
# install.sh PROGRAM FOLDER: installs the program under FOLDER with its manual page, completions and documents.
# install.sh --remove FOLDER: removes them.
set -eu
root=$2
man=$root/share/man/man1/dns-tui.1
bash=$root/share/bash-completion/completions/dns-tui
zsh=$root/share/zsh/site-functions/_dns-tui
fish=$root/share/fish/vendor_completions.d/dns-tui.fish
doc=$root/share/doc/dns-tui
if [ "$1" = --remove ]; then
    rm -f "$root/bin/dns-tui" "$man" "$bash" "$zsh" "$fish"
    rm -rf "$doc"
    exit 0
fi
program=$(realpath "$1")
cd "$(dirname "$0")/.."
umask 022
mkdir -p "$root/bin" "$(dirname "$man")" "$(dirname "$bash")" "$(dirname "$zsh")" "$(dirname "$fish")" "$doc/docs/screens"
install -m 755 "$program" "$root/bin/dns-tui"
"$program" man >"$man"
"$program" completion bash >"$bash"
"$program" completion zsh >"$zsh"
"$program" completion fish >"$fish"
install -m 644 LICENSE NOTICE README.md CHANGELOG.md CONTRIBUTING.md "$doc"
install -m 644 docs/*.md "$doc/docs"
install -m 644 docs/screens/*.svg "$doc/docs/screens"
