#!/usr/bin/env bash
# A real Kubernetes of one node for tests, from Go modules and Debian packages.
# Usage: cluster.sh up | down | load IMAGE.tar | logs FOLDER
#
# All of it lives in namespaces of its own (network, processes, mounts), so that
# nothing leaves the machine and that its end takes every process, mount,
# interface and iptables rule along; node.sh is the first process in there. Only
# a veth pair leads in, over which this machine reaches the API server, the pods
# and the cluster IPs. There is no DNS: nothing of Ticketflow's needs it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
dir=$root/.cluster
bin=${CLUSTER_PROGRAMS:-$root/bin/kubernetes}
programs=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)
namespace=ticketflow
readonly cannot=77 # the exit code where the machine cannot run a node
export PATH=$PATH:/usr/sbin:/sbin

source "$here/config.sh"

# skip WHY: says why this machine cannot.
skip() {
  echo "SKIPPED: no node on this machine: $*"
  exit $cannot
}

require() {
  [ "$(id -u)" = 0 ] || skip "it takes root"
  local need missing=()
  for need in containerd:containerd ctr:containerd runc:runc /usr/lib/cni/bridge:containernetworking-plugins \
    iptables:iptables ipset:ipset ip:iproute2 busybox:busybox-static openssl:openssl; do
    command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
  done
  [ ${#missing[@]} -eq 0 ] || skip "missing Debian packages: apt-get install ${missing[*]}"
  unshare --net --mount --pid --fork --mount-proc bash -c '
    ip link add b0 type bridge && ip link add v0 type veth peer name v1 && iptables -t nat -L -n &&
    iptables -A INPUT -m comment --comment probe -m conntrack --ctstate NEW -j ACCEPT' >/dev/null 2>&1 ||
    skip "the kernel lacks namespaces, bridges, veth pairs or iptables"
  [ -n "$(cgroups)" ] && [ -w "$(cgroups | head -1)" ] || skip "cgroups cannot be written"
}

cgroups() { findmnt --noheadings --output TARGET --types cgroup,cgroup2; }

kubectl() { "$bin/kubectl" --kubeconfig "$dir/kubeconfig" "$@"; }

# node_pid answers the outermost process of the node, if it runs.
node_pid() {
  local pid
  pid=$(cat "$dir/pid" 2>/dev/null) && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$here/node.sh" && echo "$pid"
}

# inside COMMAND...: runs it on the node.
inside() {
  nsenter --target "$(pgrep --parent "$(node_pid)")" --mount --net --pid "$@"
}

# until_ready SECONDS WHAT COMMAND...: waits, and shows the node's logs if in vain.
until_ready() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ] || [ -z "$(node_pid)" ]; then
      echo "$what did not come up:"
      tail -n 15 "$dir"/var/log/*.log
      exit 1
    fi
    sleep 0.5
  done
}

is_up() { [ -n "$(node_pid)" ] && kubectl wait --for condition=Ready --timeout 1s node/node >/dev/null 2>&1; }

up() {
  require
  if is_up; then
    echo "The node is up already. export KUBECONFIG=$dir/kubeconfig"
    return
  fi
  down >/dev/null
  local start=$SECONDS
  "$root/hack/kubernetes/build.sh" "$bin" "${programs[@]}"
  build_kube_router
  write_config "$dir"
  connect
  for each in $(cgroups); do mkdir -p "$each/$cgroup"; done
  setsid nsenter --net="/run/netns/$namespace" \
    unshare --pid --fork --kill-child --mount --mount-proc \
    bash "$here/node.sh" "$dir" "$bin" >"$dir/node.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  until_ready 10 "the node" node_pid
  until_ready 120 "kube-apiserver" kubectl get --raw /readyz
  until_ready 60 "containerd" inside ctr --namespace k8s.io version
  write_images "$dir"
  load "$dir/pause.tar"
  load "$dir/busybox.tar"
  until_ready 120 "the node" kubectl wait --for condition=Ready --timeout 1s node/node
  until_ready 60 "the default service account" kubectl get serviceaccount default
  echo "The node is up after $((SECONDS - start)) s. export KUBECONFIG=$dir/kubeconfig"
}

# build_kube_router builds what keeps pods to network policies.
build_kube_router() {
  cd "$here/kube-router"
  [ ! "$bin/kube-router" -nt go.mod ] || return 0
  echo "Building kube-router from Go modules, once; with a cold cache that takes minutes."
  CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w" -o "$bin/.kube-router.new" github.com/cloudnativelabs/kube-router/v2/cmd/kube-router
  mv "$bin/.kube-router.new" "$bin/kube-router"
}

# connect makes the network namespace and the way into it. Both vanish with it.
connect() {
  ip netns add $namespace 2>/dev/null || {
    echo "Another node runs on this machine: \`ip netns pids $namespace\` shows it. Take it down where it was brought up."
    exit 1
  }
  echo $namespace >"$dir/netns"
  ip link add $namespace type veth peer name host netns $namespace
  ip address add $outside_ip/30 dev $namespace
  ip link set $namespace up
  ip -n $namespace address add $inside_ip/30 dev host
  ip -n $namespace link set host up
  ip -n $namespace link set lo up
  ip route add $pods via $inside_ip
  ip route add $services via $inside_ip
}

down() {
  [ "$(id -u)" = 0 ] || skip "it takes root"
  local pid each
  pid=$(node_pid) || true
  if [ -n "$pid" ]; then
    # The kernel ends all other processes of the namespace with its first one.
    kill -KILL "$(pgrep --parent "$pid")" 2>/dev/null || kill -KILL "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  fi
  [ ! -e "$dir/netns" ] || ip netns delete $namespace 2>/dev/null || true
  if [ ! -e "/run/netns/$namespace" ]; then # or else the cgroups are another node's
    rmdir /run/netns 2>/dev/null || { umount /run/netns && rmdir /run/netns; } 2>/dev/null || true
    for each in $(cgroups); do
      [ ! -d "$each/$cgroup" ] || find "$each/$cgroup" -depth -type d -exec rmdir {} +
    done
  fi
  rm -rf --one-file-system "$dir"
  echo "The node is gone."
}

# load IMAGE.tar: gives the node an image; pods say imagePullPolicy: Never.
load() { inside ctr --namespace k8s.io images import - <"$1"; }

# logs FOLDER: copies what its programs and pods said.
logs() {
  mkdir -p "$1"
  cp -r "$dir/var/log/." "$1"
}

case ${1:-} in
up | down | load | logs) "$@" ;;
*) sed -n '3p' "$0" && exit 2 ;;
esac
