# What the node's programs are told: networks, certificates, settings, images.
# Sourced by cluster.sh. The node sees its folder as /run/cluster.

readonly cgroup=ticketflow-node
readonly pods=10.245.0.0/24 bridge_ip=10.245.0.1
readonly services=10.246.0.0/24 kubernetes_ip=10.246.0.1
readonly link=10.247.0.0/30 outside_ip=10.247.0.1 inside_ip=10.247.0.2

write_config() {
  local dir=$1
  mkdir -p "$dir"/{pki,cni,run,var/{lib,log,tmp}}
  chmod 700 "$dir"
  ln -sfn /run "$dir/var/run"
  write_certificates "$dir/pki"
  kubeconfig admin $inside_ip >"$dir/kubeconfig"
  for each in kubelet kube-proxy kube-router kube-scheduler kube-controller-manager; do
    kubeconfig $each $bridge_ip >"$dir/$each.kubeconfig"
  done
  containerd_config >"$dir/containerd.toml"
  cni_config >"$dir/cni/10-bridge.conflist"
  kubelet_config >"$dir/kubelet.yaml"
  kube_proxy_config >"$dir/kube-proxy.yaml"
  printf "bridge_ip=%s\nservices=%s\n" $bridge_ip $services >"$dir/networks"
}

write_certificates() {
  pki=$1
  printf '[req]\ndistinguished_name=dn\n[dn]\n' >"$pki/openssl.cnf"
  authority ca
  authority front-proxy-ca
  openssl ecparam -name prime256v1 -genkey -noout -out "$pki/service-account.key"
  certificate ca kube-apiserver /CN=kube-apiserver \
    "subjectAltName=IP:$inside_ip,IP:$bridge_ip,IP:$kubernetes_ip,IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"
  certificate ca kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  certificate ca admin /O=system:masters/CN=admin
  certificate ca kubelet /O=system:nodes/CN=system:node:node
  certificate ca kube-proxy /CN=system:kube-proxy
  certificate ca kube-router /O=system:masters/CN=kube-router
  certificate ca kube-scheduler /CN=system:kube-scheduler
  certificate ca kube-controller-manager /CN=system:kube-controller-manager
  certificate front-proxy-ca aggregator /CN=aggregator
}

# request NAME SUBJECT ARGUMENT...
request() {
  local name=$1 subject=$2
  shift 2
  openssl req -x509 -config "$pki/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -keyout "$pki/$name.key" -out "$pki/$name.crt" -subj "$subject" "$@" 2>/dev/null
}

authority() { request "$1" "/CN=$1" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,digitalSignature; }

# certificate AUTHORITY NAME SUBJECT [EXTENSION]
certificate() {
  request "$2" "$3" -CA "$pki/$1.crt" -CAkey "$pki/$1.key" -addext extendedKeyUsage=clientAuth,serverAuth ${4:+-addext "$4"}
}

# kubeconfig WHO ADDRESS
kubeconfig() {
  cat <<END
apiVersion: v1
kind: Config
current-context: node
contexts: [{name: node, context: {cluster: node, user: $1}}]
clusters:
- name: node
  cluster: {server: "https://$2:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}
END
}

containerd_config() {
  local snapshotter=overlayfs
  [ "$(stat --file-system --format %T "$dir")" != overlayfs ] || snapshotter=native # no overlay on an overlay
  cat <<END
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "ticketflow.test/pause:1"
  restrict_oom_score_adj = true # some kernels withhold CAP_SYS_RESOURCE
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/run/cluster/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
END
}

# The pods' only routes are to pods and services, so nothing leaves the machine.
cni_config() {
  cat <<END
{
  "cniVersion": "0.4.0", "name": "pods",
  "plugins": [{
    "type": "bridge", "bridge": "cni0", "hairpinMode": true,
    "ipam": {
      "type": "host-local",
      "ranges": [[{"subnet": "$pods", "gateway": "$bridge_ip"}]],
      "routes": [{"dst": "$services"}, {"dst": "$link"}]
    }
  }]
}
END
}

kubelet_config() {
  cat <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $bridge_ip
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: /run/cluster/pki/ca.crt}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
resolvConf: ""
oomScoreAdj: 0
# Images cannot be pulled again, and the disk is not the node's alone.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
END
}

kube_proxy_config() {
  cat <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $pods
hostnameOverride: node
clientConnection: {kubeconfig: /run/cluster/kube-proxy.kubeconfig}
oomScoreAdj: 0
iptables: {localhostNodePorts: false}
# Those sysctls are the whole machine's.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
}

# write_images makes the image of the pods' sandboxes and one with a shell. As
# Debian links busybox, its wget crashes where it looks up names; nc works.
write_images() {
  image "$1" pause '["/bin/busybox", "sleep", "infinity"]'
  image "$1" busybox '["/bin/sh"]'
}

# image FOLDER NAME COMMAND: one layer with busybox, as `docker load` takes it.
image() {
  local work applet
  work=$(mktemp -d)
  mkdir -p "$work/root/bin" "$work/root/tmp" "$work/image"
  chmod 1777 "$work/root/tmp"
  cp "$(command -v busybox)" "$work/root/bin/busybox"
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$work/root/bin/$applet"
  done
  tar -C "$work/root" --owner 0 --group 0 --numeric-owner -cf "$work/image/layer.tar" .
  cat >"$work/image/config.json" <<END
{"architecture": "$(dpkg --print-architecture)", "os": "linux",
 "config": {"Cmd": $3, "Env": ["PATH=/bin"], "WorkingDir": "/"},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$(sha256sum <"$work/image/layer.tar" | cut -d' ' -f1)"]}}
END
  echo "[{\"Config\": \"config.json\", \"RepoTags\": [\"ticketflow.test/$2:1\"], \"Layers\": [\"layer.tar\"]}]" >"$work/image/manifest.json"
  tar -C "$work/image" -cf "$1/$2.tar" manifest.json config.json layer.tar
  rm -rf "$work"
}
