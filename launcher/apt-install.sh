#!/bin/sh
# Installs the Debian packages given, as root, without starting what they bring: Holdfast runs engines of its own and
# must not leave a stray one on port 6379 of somebody's machine. Called by tools.mjs only.
#
# A service is kept from starting by masking it for the length of the installation (systemd), or by the runlevel in
# which nothing starts (System V). Rejected: a policy-rc.d that says no for a while, because a crash in between would
# leave a machine on which no service starts any more.
set -u

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 RUNLEVEL=1 PREVLEVEL=N

units=
for package in "$@"; do
  case $package in
    redis-server) units="$units redis-server.service" ;;
    slapd) units="$units slapd.service" ;;
    etcd-server) units="$units etcd.service" ;;
  esac
done

with_systemd() {
  [ -n "$units" ] && [ -d /run/systemd/system ]
}

# The mask goes away with us; the service stays as it is then, installed and neither running nor enabled.
give_back() {
  if with_systemd; then
    systemctl --quiet unmask $units
    systemctl --quiet disable $units
  fi
}
if with_systemd; then
  trap give_back EXIT
  trap 'exit 130' INT TERM HUP
  systemctl --quiet mask $units
fi

install() {
  apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install "$@" </dev/null
}

# Lists of packages that are missing or old show as a package that cannot be located or fetched; only then are they
# read anew, because that takes longer than the rest.
if said=$(install "$@" 2>&1); then
  exit 0
fi
case $said in
  *'Unable to locate'* | *'no installation candidate'* | *'Unable to fetch'* | *'Failed to fetch'*) ;;
  *)
    printf '%s\n' "$said"
    exit 1
    ;;
esac
apt-get -q update </dev/null && install "$@"
