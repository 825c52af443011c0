#!/bin/sh
# Installs the driver: the library, its manifest, and the tools that are built beside it (dxginfo, dxgtrace).
#
#   manifests/install.sh [--prefix DIR] [--user] [--library FILE] [--uninstall]
#
# --prefix DIR    where to install (default /usr/local); the loader looks in /usr/share, /usr/local/share and /etc
# --user          for this user only: the manifest goes to ~/.local/share/vulkan/icd.d, the tools to ~/.local/bin
# --library FILE  the library to install (default target/release/libvulkan_dxg.so)
# --uninstall     takes all of it away again
# DESTDIR is put before every path written, as packaging tools expect.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
prefix=/usr/local
library=${CARGO_TARGET_DIR:-$root/target}/release/libvulkan_dxg.so
user=no
uninstall=no

while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=$2; shift ;;
    --user) user=yes ;;
    --library) library=$2; shift ;;
    --uninstall) uninstall=yes ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    shift
done

if [ "$user" = yes ]; then
    data=${XDG_DATA_HOME:-$HOME/.local/share}
    libdir=$data/vulkan-dxg
    icddir=$data/vulkan/icd.d
    bindir=$HOME/.local/bin
else
    libdir=$prefix/lib/vulkan-dxg
    icddir=$prefix/share/vulkan/icd.d
    bindir=$prefix/bin
fi
dest=${DESTDIR:-}
tools="dxginfo dxgtrace"

if [ "$uninstall" = yes ]; then
    rm -f "$dest$libdir/libvulkan_dxg.so" "$dest$icddir/vulkan_dxg_icd.json"
    for tool in $tools; do rm -f "$dest$bindir/$tool"; done
    rmdir "$dest$libdir" 2>/dev/null || true
    echo "removed $libdir/libvulkan_dxg.so and $icddir/vulkan_dxg_icd.json"
    exit 0
fi

if [ ! -f "$library" ]; then
    echo "$library is not there: build it with 'cargo build --release --package icd'" >&2
    exit 1
fi
mkdir -p "$dest$libdir" "$dest$icddir"
install -m 755 "$library" "$dest$libdir/libvulkan_dxg.so"
# Sed's replacement text must not take a path's characters for its own.
escaped=$(printf '%s' "$libdir/libvulkan_dxg.so" | sed 's/[\\&|]/\\&/g')
api=$(cat "$here/api_version")
sed -e "s|@LIBRARY_PATH@|$escaped|" -e "s|@API_VERSION@|$api|" "$here/vulkan_dxg_icd.json.in" \
    >"$dest$icddir/vulkan_dxg_icd.json"
chmod 644 "$dest$icddir/vulkan_dxg_icd.json"
for tool in $tools; do
    built=$(dirname "$library")/$tool
    [ -f "$built" ] || continue
    mkdir -p "$dest$bindir"
    install -m 755 "$built" "$dest$bindir/$tool"
done
echo "installed $libdir/libvulkan_dxg.so and $icddir/vulkan_dxg_icd.json"
