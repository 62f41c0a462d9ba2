#!/usr/bin/env bash
# The node's first process: started by cluster.sh in namespaces of its own, it
# starts all programs there and waits. Usage: node.sh FOLDER PROGRAMS
set -euo pipefail
dir=$1 bin=$2

# /var and /run are the node's own, so that every program uses its usual paths.
mount -t tmpfs tmpfs "$dir/run"
mkdir "$dir"/run/{cluster,bin}
mount --bind "$dir" "$dir/run/cluster"
mount --bind "$bin" "$dir/run/bin"
mount --bind "$dir/var" /var
mount --rbind "$dir/run" /run
cd /run/cluster
source /run/cluster/networks

ip link add cni0 type bridge nf_call_iptables 1
ip address add "$bridge_ip/24" dev cni0
ip link set cni0 up
# Cluster IPs are reached from the node with an address that pods can answer.
ip route add "$services" dev cni0 src "$bridge_ip"
echo 1 >/proc/sys/net/ipv4/ip_forward

# start PROGRAM ARGUMENT...
start() { "$@" >>"/var/log/${1##*/}.log" 2>&1 & }

start containerd --config containerd.toml
start /run/bin/etcd --name node --data-dir /var/lib/etcd --unsafe-no-fsync --log-level warn \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
  --initial-cluster node=http://127.0.0.1:2380
start /run/bin/kube-apiserver --etcd-servers http://127.0.0.1:2379 \
  --bind-address 0.0.0.0 --advertise-address "$bridge_ip" --service-cluster-ip-range "$services" \
  --tls-cert-file pki/kube-apiserver.crt --tls-private-key-file pki/kube-apiserver.key --client-ca-file pki/ca.crt \
  --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
  --kubelet-client-certificate pki/kubelet-client.crt --kubelet-client-key pki/kubelet-client.key \
  --kubelet-preferred-address-types InternalIP \
  --service-account-issuer https://kubernetes.default.svc \
  --service-account-key-file pki/service-account.key --service-account-signing-key-file pki/service-account.key \
  --proxy-client-cert-file pki/aggregator.crt --proxy-client-key-file pki/aggregator.key \
  --requestheader-client-ca-file pki/front-proxy-ca.crt --requestheader-allowed-names aggregator \
  --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
  --requestheader-extra-headers-prefix X-Remote-Extra-

until_answers() { until /run/bin/kubectl --kubeconfig kubeconfig "$@" >/dev/null 2>&1; do sleep 0.2; done; }

until_answers get --raw /readyz
start /run/bin/kube-controller-manager --kubeconfig kube-controller-manager.kubeconfig --leader-elect=false \
  --use-service-account-credentials --service-account-private-key-file pki/service-account.key \
  --root-ca-file pki/ca.crt --cluster-signing-cert-file pki/ca.crt --cluster-signing-key-file pki/ca.key
start /run/bin/kube-scheduler --kubeconfig kube-scheduler.kubeconfig --leader-elect=false
start /run/bin/kubelet --config kubelet.yaml --kubeconfig kubelet.kubeconfig --hostname-override node --node-ip "$bridge_ip"
start /run/bin/kube-proxy --config kube-proxy.yaml
until_answers get node node
start /run/bin/kube-router --kubeconfig kube-router.kubeconfig --hostname-override node --service-cluster-ip-range "$services" \
  --run-firewall --run-router=false --run-service-proxy=false --enable-cni=false
wait
