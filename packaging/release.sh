#!/bin/sh
# Makes what is handed out: release.sh FOLDER leaves there openline-VERSION-TARGET.tar.gz, with the
# program, its completions, manual pages, licences and the files of packaging/, and SHA256SUMS.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
mkdir -p "$1"
out=$(cd "$1" && pwd)
target=${OPENLINE_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
export OPENLINE_TARGET="$target"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$here/static.sh" "$folder/openline"
version=$("$folder/openline" --version | sed 's/^openline //')
name=openline-$version-$target
tree=$folder/$name

mkdir -p "$tree/bin" "$tree/completions"
mv "$folder/openline" "$tree/bin/openline"
for shell in bash zsh fish; do
    "$tree/bin/openline" completions "$shell" >"$tree/completions/openline.$shell"
done
"$tree/bin/openline" man --dir "$tree/man/man1"
python3 "$here/licences.py" "$target" >"$tree/LICENSES-OF-DEPENDENCIES.txt"
cp "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$root/CHANGELOG.md" "$tree"
for part in openline.toml systemd nginx haproxy caddy prometheus grafana; do
    cp -R "$here/$part" "$tree/"
done

# The same tree makes the same archive.
tar -C "$folder" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@"${SOURCE_DATE_EPOCH:-0}" \
    -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
(cd "$out" && sha256sum ./*.tar.gz >SHA256SUMS)
echo "packaging: $out/$name.tar.gz"
