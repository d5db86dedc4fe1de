#!/bin/sh
# Installs what conformance/ needs: Python peers and the Autobahn runner into
# .work/venv, JavaScript peers into conformance/node/node_modules, and Chromium, Xvfb,
# nginx, HAProxy, Caddy, Redis, NATS, pebble, faketime, Prometheus, systemd, mandoc and two shells
# from Debian. Run it again at any time: what is there stays.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(dirname "$here")/.work
venv=$work/venv
mkdir -p "$work"

# A stamp holds a copy of the file that was installed from.
fresh() { [ -f "$2" ] && cmp -s "$1" "$2"; }

if ! fresh "$here/requirements.txt" "$venv/installed.txt"; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "conformance: Python 3.11 or newer is needed" >&2; exit 1; }
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt"
    "$venv/bin/pip" check --disable-pip-version-check
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

if ! fresh "$here/node/package-lock.json" "$here/node/node_modules/installed.json"; then
    (cd "$here/node" && npm ci --ignore-scripts --no-audit --no-fund)
    cp "$here/node/package-lock.json" "$here/node/node_modules/installed.json"
fi

missing=
for program in chromium Xvfb nginx haproxy caddy redis-server nats-server pebble faketime promtool systemd-analyze mandoc zsh fish; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
        case $program in
            promtool) missing="$missing prometheus" ;;
            systemd-analyze) missing="$missing systemd" ;;
            # Debian writes the names of its packages small.
            *) missing="$missing $(echo "$program" | tr '[:upper:]' '[:lower:]')" ;;
        esac
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "conformance: please install:$missing" >&2
        exit 1
    fi
    # Debian starts servers as services when it installs them. The
    # tests start their own, so policy-rc.d says no while this runs.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

echo "conformance: ready"
