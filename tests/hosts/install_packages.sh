#!/usr/bin/env bash
# Install the Debian packages that `make cluster-test` needs: ssh and rsync for Ray's launcher, Slurm, and what makes hosts.
set -euo pipefail

PACKAGES=(iproute2 procps curl openssh-client openssh-server rsync tmux slurm-wlm munge)

missing=()
for package in "${PACKAGES[@]}"; do
    [[ $(dpkg-query --show --showformat='${Status}' "$package" 2> /dev/null) == *"ok installed" ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0
[[ $EUID -eq 0 ]] || { echo "cluster-test: install as root: apt-get install ${missing[*]}" >&2; exit 2; }
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
