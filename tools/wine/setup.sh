#!/usr/bin/env bash
# Unpacks a private Wine 10 below DEST and makes its prefix: setup.sh DEST. About half a minute and 300 MB.
#
# Debian bookworm's own Wine 8 can't run Node 24 and lacks HttpSendResponseEntityBody, and trixie's Wine 10 needs a newer
# libc than bookworm has. So trixie's packages are unpacked, not installed, and Wine's two programs get trixie's loader
# and libraries by name. Nothing outside DEST is written.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dest=$(realpath -m "${1:?usage: setup.sh DEST}")

for tool in apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || { echo "setup.sh: $tool is missing: this needs Debian, or a container of it (node:20-bookworm)" >&2; exit 1; }
done
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "setup.sh: needs amd64, this is $(dpkg --print-architecture)" >&2; exit 1; }

rm -rf "$dest"
mkdir -p "$dest/apt/lists/partial" "$dest/apt/cache/archives/partial" "$dest/debs" "$dest/libraries"

# The mirror that this machine uses already, with an apt state of its own.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/*$' | sort -u | head -1 || true)
[ -n "$mirror" ] || { echo "setup.sh: apt's sources name no mirror of Debian (a URL that ends with /debian): add one" >&2; exit 1; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$dest/apt/sources.list"
cat >"$dest/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$dest/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$dest/apt/lists";
Dir::Cache "$dest/apt/cache";
APT::Architecture "amd64";
APT::Get::List-Cleanup "0";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
wine=(libwine wine64 libz-mingw-w64)
libraries=(libc6 libgcc-s1 libunwind8 liblzma5 libstdc++6)
(
  export APT_CONFIG="$dest/apt/apt.conf"
  apt-get -qq update
  cd "$dest/debs"
  apt-get -qq download "${wine[@]}" "${libraries[@]}" patchelf
)
for package in "${wine[@]}"; do dpkg-deb -x "$dest/debs/${package}"_*.deb "$dest/root"; done
for package in "${libraries[@]}" patchelf; do dpkg-deb -x "$dest/debs/${package}"_*.deb "$dest/unpacked"; done
cp -a "$dest"/unpacked/usr/lib/x86_64-linux-gnu/*.so* "$dest/libraries/"
loader="$dest/libraries/ld-linux-x86-64.so.2"
patchelf() { "$loader" --library-path "$dest/libraries" "$dest/unpacked/usr/bin/patchelf" "$@"; }

programs="$dest/root/usr/lib/wine"
modules="$dest/root/usr/lib/x86_64-linux-gnu/wine/x86_64-windows"
rm -f "$programs/wineserver" "$programs"/wine64-preloader*
ln -s wineserver64 "$programs/wineserver"
ln -sfn . "$dest/root/usr/share/wine/wine"
for program in wine64 wineserver64; do
  patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$dest/libraries" "$programs/$program"
done

# Wine loads its own zlib1.dll only when the file bears the mark of a builtin.
zlib="$dest/root/usr/x86_64-w64-mingw32/lib/zlib1.dll"
{
  head -c 64 "$zlib"
  printf 'Wine builtin DLL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
  tail -c +97 "$zlib"
} >"$modules/zlib1.dll"

# What node.exe and http.sys need; the rest only makes the prefix slow to create.
(cd "$modules" && find . -maxdepth 1 -type f -printf '%f\n' | { grep -v -x -F -f "$here/keep.txt" || true; } | xargs rm -f)
rm -rf "$dest/debs" "$dest/apt" "$dest/unpacked"

cat >"$dest/env.sh" <<ENV
export WINE=$programs/wine64 WINESERVER=$programs/wineserver64 WINEARCH=win64
export WINEPREFIX=\${WINEPREFIX:-$dest/prefix} WINEDEBUG=\${WINEDEBUG:--all}
export WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d"
unset DISPLAY WAYLAND_DISPLAY
ENV
. "$dest/env.sh"
"$WINE" wineboot -i </dev/null 2>/dev/null
# A busy machine may take longer than ten seconds to load http.sys.
"$WINE" reg add 'HKLM\System\CurrentControlSet\Control' /v ServicesPipeTimeout /t REG_DWORD /d 60000 /f </dev/null >/dev/null 2>&1
"$WINESERVER" -w
"$WINE" --version
