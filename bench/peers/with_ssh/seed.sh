#!/bin/sh
# The manual procedure as a script: its commands one after the other, one ssh each, as they would be typed.
#
#   seed.sh SSH_CONFIG members|host|all HOST MEMBER...
#
# SSH_OPTIONS: more options of ssh; with ControlMaster, all commands on a machine share a connection.
# "host" alone needs no members' answers: it carries made-up values over.
set -eu
config=$1 phase=$2 host=$3
shift 3
folder=$(dirname "$0")/..
namespace=kube-federation-system

on() {
    machine=$1
    shift
    # shellcheck disable=SC2029,SC2086  # the machine's shell takes the words apart, as it does when they are typed
    ssh -F "$config" ${SSH_OPTIONS:-} "$machine" "$@"
}

grant() {
    sed "s/MEMBER/$1/g" "$folder/account.yaml" | on "$1" "kubectl apply -f -"
    token=
    while [ -z "$token" ]; do
        token=$(on "$1" "kubectl get secret $1-token -o jsonpath='{.data.token}' | base64 -d")
    done
    server=$(on "$1" "grep server: ~/.kube/config")
    server=${server##* }
    ca=$(on "$1" "grep certificate-authority-data: ~/.kube/config")
    ca=${ca##* }
}

join() {
    on "$host" "kubectl config set-credentials kubefed-$1 --token=$token"
    on "$host" "kubectl config set-cluster kubefed-remote-$1 --server=$server"
    on "$host" "kubectl config set clusters.kubefed-remote-$1.certificate-authority-data $ca"
    on "$host" "kubectl config set-context $1 --cluster=kubefed-remote-$1 --user=kubefed-$1 --namespace=default"
    on "$host" "kubectl --context $1 get nodes"
    on "$host" "kubefedctl join $1 --v=2 --host-cluster-context $host --kubefed-namespace=$namespace"
}

if [ "$phase" != members ]; then
    on "$host" "kubectl config rename-context kubernetes-admin@kubernetes $host"
    on "$host" "kubectl --context $host get nodes"
    on "$host" "kubefedctl join $host --v=2 --host-cluster-context $host --kubefed-namespace=$namespace"
fi
token=token server=https://server ca=ca
for member; do
    [ "$phase" = host ] || grant "$member"
    [ "$phase" = members ] || join "$member"
done
