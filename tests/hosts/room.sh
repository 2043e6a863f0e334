#!/usr/bin/env bash
# Make Linux hosts on this machine, each with its own address, processes, /tmp, /dev/shm, home directory and, where OpenSSH's
# server is installed, an sshd. tests/hosts/room.py starts this script and runs commands in the hosts.
#
#   room.sh room COUNT DIR SHARED …   process 1 of the room: a network of its own, and COUNT hosts on it
#   room.sh host K DIR SHARED …       process 1 of host K, which has the address 10.77.0.(10 + K) and the name hK
#
# All lives in namespaces of the room's process 1, which ends with its standard input: the kernel then ends every process of
# every host, and takes the network away. DIR holds the hosts' disks; it may not lie in /tmp or in the home directory, which
# hosts have for themselves. SHARED are directories that all hosts see, as by NFS, wherever they lie.
set -euo pipefail

NETWORK=10.77.0

room() {
    local count=$1 dir=$2 k
    ip link set lo up
    ip link add switch type bridge forward_delay 0
    ip address add "$NETWORK.1/24" dev switch
    ip link set switch up
    { echo "127.0.0.1 localhost"; for k in $(seq "$count"); do echo "$NETWORK.$((10 + k)) h$k"; done; } > "$dir/etc_hosts"
    for k in $(seq "$count"); do boot "$k" "${@:2}"; done
    for k in $(seq "$count"); do
        until [[ -e $dir/h$k/is_up ]]; do sleep 0.02; done
    done
    echo ready
    cat > /dev/null # until the caller closes our standard input, or is gone
}

boot() {
    local k=$1 dir=$2 launcher
    mkdir -p "$dir/h$k"
    unshare --net --mount --uts --ipc --pid --fork --kill-child --mount-proc "$0" host "$@" < /dev/null > "$dir/h$k/log" 2>&1 &
    launcher=$!
    while [[ /proc/$launcher/ns/net -ef /proc/self/ns/net ]]; do sleep 0.02; done # until it has a network of its own
    ip link add "h$k" type veth peer name eth0 netns "$launcher"
    ip link set "h$k" master switch up
    until read -r -d ' ' init < "/proc/$launcher/task/$launcher/children"; do sleep 0.02; done
    echo "$init" > "$dir/h$k/init"
}

host() {
    local k=$1 dir=$2 own=$2/h$1 shared=("${@:3}") descriptors=() descriptor at
    until ip link show eth0 &> /dev/null; do sleep 0.02; done
    ip link set lo up
    ip address add "$NETWORK.$((10 + k))/24" dev eth0
    ip link set eth0 up
    ip route add default via "$NETWORK.1" # it leads nowhere: Ray finds a host's address by its way to the world
    hostname "h$k"
    mount --bind "$dir/etc_hosts" /etc/hosts
    mount --bind /dev/null /etc/resolv.conf # no name server: an unknown name fails at once
    # A shared directory may lie below what is replaced next; an open descriptor still leads to it.
    for at in "${shared[@]}"; do
        exec {descriptor}< "$at"
        descriptors+=("$descriptor")
    done
    mkdir -p "$own"/{tmp,home,work}
    chmod 1777 "$own/tmp"
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    mount -t tmpfs -o mode=755 tmpfs /run
    # Home shows the machine's, with its interpreters and caches; what a host writes there is its own. It has no token of Ray.
    mount -t overlay -o "lowerdir=$HOME,upperdir=$own/home,workdir=$own/work" overlay "$HOME"
    rm -rf ~/.ray ~/.ssh
    mount --bind "$own/tmp" /tmp
    for at in "${!shared[@]}"; do
        mkdir -p "${shared[at]}"
        mount --no-canonicalize --bind "/proc/self/fd/${descriptors[at]}" "${shared[at]}"
    done
    start_sshd "$dir" "$NETWORK.$((10 + k))"
    touch "$own/is_up"
    while true; do # as process 1 it waits for processes whose parents are gone
        sleep 3600 &
        wait $! || true
    done
}

# Every host has the same key, lets it in, and takes every host of this room for known.
start_sshd() {
    local dir=$1 address=$2
    [[ -x /usr/sbin/sshd && -f $dir/key ]] || return 0
    mkdir -p /run/sshd ~/.ssh
    chmod 700 ~ ~/.ssh
    cp "$dir/key" ~/.ssh/id_ed25519
    cp "$dir/key.pub" ~/.ssh/authorized_keys
    printf '%s\n' 'StrictHostKeyChecking no' 'UserKnownHostsFile /dev/null' 'LogLevel ERROR' > ~/.ssh/config
    chmod 600 ~/.ssh/*
    /usr/sbin/sshd -D -e -f /dev/null -h "$HOME/.ssh/id_ed25519" -o "ListenAddress=$address" -o PidFile=none -o UsePAM=no \
        -o PasswordAuthentication=no -o StrictModes=no &
}

"$1" "${@:2}"
