#!/bin/sh
# Makes a Docker engine answer: says nothing where one does, installs and starts it where it may (root on Debian),
# and says in one line what to do elsewhere.
set -eu

LOG=/var/log/dockerd.log
RUN=/var/run

answers() { docker version >/dev/null 2>&1; }

give_up() {
    echo "lab: $*" >&2
    exit 1
}

# install_engine: Debian's own; docker-cli is a package of its own in newer releases only.
install_engine() {
    command -v apt-get >/dev/null || give_up "no Docker engine: install one, then try again"
    echo "installing a Docker engine (Debian's docker.io) ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    packages=docker.io
    apt-get update >"$log" 2>&1 || true
    if apt-cache show docker-cli >/dev/null 2>&1; then packages="docker.io docker-cli"; fi
    # shellcheck disable=SC2086 # one word per package
    if ! apt-get install --yes --no-install-recommends $packages iptables >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        give_up "apt-get could not install docker.io; the full log: $log"
    fi
    rm -f "$log"
}

# runs PIDFILE NAME: whether the file's process lives and is the one meant. The file outlives a machine that
# was switched off, and its number may be another program's by now.
runs() { [ "$(cat "/proc/$(cat "$1" 2>/dev/null)/comm" 2>/dev/null)" = "$2" ]; }

# start_engine: by the service manager where one runs, or else as a process that outlives this one.
start_engine() {
    if [ -d /run/systemd/system ]; then
        systemctl start docker || give_up "systemctl could not start docker: journalctl -u docker says why"
    elif ! runs "$RUN/docker.pid" dockerd; then
        rm -f "$RUN/docker.pid"
        runs "$RUN/docker/containerd/containerd.pid" containerd || rm -f "$RUN/docker/containerd/containerd.pid"
        setsid dockerd >>"$LOG" 2>&1 </dev/null &
    fi
}

wait_for_engine() {
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 120 ]; then
            tail -n 20 "$LOG" >&2 || true
            give_up "dockerd did not answer within a minute; the full log: $LOG"
        fi
        sleep 0.5
    done
}

if answers; then exit 0; fi
if [ "$(id -u)" -ne 0 ]; then
    give_up "no Docker engine answers: start it, or let root do it once (sudo $0)"
fi
command -v dockerd >/dev/null || install_engine
start_engine
wait_for_engine
