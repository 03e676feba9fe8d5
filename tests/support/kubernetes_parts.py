# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the test cluster's node is made of: the programs' command lines, their settings and their certificates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.certificates import Authority, key_of

NODE = "minikube"
NODE_ADDRESS = "192.168.49.2"
HOST_ADDRESS = "192.168.49.1"
SERVICES = "10.96.0.0/12"
DNS_ADDRESS = "10.96.0.10"
API = f"https://{NODE_ADDRESS}:8443"
API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
REGISTRY = f"{HOST_ADDRESS}:5000"
CGROUP = "tracestack-kubernetes"
# Who speaks to the API server, by the names of certificates and kubeconfigs, and as what.
USERS = {
    "admin": ("system:masters", "minikube"),
    "kubelet": ("system:nodes", f"system:node:{NODE}"),
    "kube-controller-manager": ("", "system:kube-controller-manager"),
    "kube-scheduler": ("", "system:kube-scheduler"),
    "kube-proxy": ("", "system:kube-proxy"),
}


def credentials(folder: Path) -> None:
    """Certificates and keys in pki, and a kubeconfig for each user."""
    pki = folder / "pki"
    authority = Authority(pki, "ca")
    addresses = (NODE_ADDRESS, "127.0.0.1", "10.96.0.1")
    authority.issue("kube-apiserver", addresses, API_NAMES)
    authority.issue("kubelet-server", (NODE_ADDRESS,), (NODE,))
    authority.issue("service-accounts")
    for name, (group, user) in USERS.items():
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group:
            parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        certificate = authority.issue(name, subject=x509.Name(parts))
        target = folder / "kubeconfig" if name == "admin" else pki / f"{name}.kubeconfig"
        target.touch(mode=0o600)
        target.write_text(yaml.safe_dump(kubeconfig(authority.path, certificate)))


def kubeconfig(authority: Path, certificate: Path) -> dict[str, Any]:
    """The context minikube, with files for certificates, as Minikube writes it."""
    user = {"client-certificate": str(certificate), "client-key": str(key_of(certificate))}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NODE, "cluster": {"server": API, "certificate-authority": str(authority)}}],
        "users": [{"name": NODE, "user": user}],
        "contexts": [{"name": NODE, "context": {"cluster": NODE, "user": NODE, "namespace": "default"}}],
        "current-context": NODE,
    }


def settings(folder: Path) -> None:
    """The settings files of containerd, its network plugins, the kubelet and kube-proxy."""
    (folder / "containerd.toml").write_text(CONTAINERD.format(folder=folder))
    registry = folder / "registries" / REGISTRY
    registry.mkdir(parents=True)
    (registry / "hosts.toml").write_text(f'[host."http://{REGISTRY}"]\ncapabilities = ["pull", "resolve"]\n')
    network = folder / "network"
    network.mkdir()
    (network / "bridge.conflist").write_text(json.dumps(NETWORK))
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    pki = folder / "pki"
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.pem")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet-server.pem"),
        "tlsPrivateKeyFile": str(pki / "kubelet-server.key"),
        "containerRuntimeEndpoint": f"unix://{folder}/containerd/socket",
        "volumePluginDir": str(folder / "volume-plugins"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "failSwapOn": False,
        # This machine's disk may be as full as it likes: images stay, and pods are not thrown out.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
        "syncFrequency": "10s",
    }
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(pki / "kube-proxy.kubeconfig")},
        "clusterCIDR": "10.244.0.0/16",
        "hostnameOverride": NODE,
        "mode": "iptables",
        # The limits are of the whole machine: not ours to set.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    (folder / "kubelet.json").write_text(json.dumps(kubelet))
    (folder / "kube-proxy.json").write_text(json.dumps(proxy))


# Where a process may not lower its oom_score_adj, containerd must not try to.
CONTAINERD = """version = 2
root = "{folder}/containerd/root"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/containerd/socket"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "registry.k8s.io/pause:3.9"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/network"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{folder}/registries"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""
NETWORK = {
    "cniVersion": "0.4.0",
    "name": "bridge",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}, "externalSetMarkChain": "KUBE-MARK-MASQ"},
    ],
}


def etcd(folder: Path) -> list[str]:
    """The store. Its data need not outlive the machine, so it does not wait for the disk."""
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return [
        *("etcd", "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--logger", "zap"),
        *("--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer),
        *("--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
    ]


def containerd(folder: Path) -> list[str]:
    """What runs the containers."""
    return ["containerd", "--config", str(folder / "containerd.toml")]


def api_server(programs: Path, folder: Path) -> list[str]:
    """The API server."""
    pki = folder / "pki"
    return [
        str(programs / "kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        "--secure-port=8443",
        f"--advertise-address={NODE_ADDRESS}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        f"--service-cluster-ip-range={SERVICES}",
        f"--client-ca-file={pki}/ca.pem",
        f"--tls-cert-file={pki}/kube-apiserver.pem",
        f"--tls-private-key-file={pki}/kube-apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-accounts.pem",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        f"--kubelet-client-certificate={pki}/admin.pem",
        f"--kubelet-client-key={pki}/admin.key",
        f"--kubelet-certificate-authority={pki}/ca.pem",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def clients(programs: Path, folder: Path) -> list[list[str]]:
    """What speaks to the API server: controllers, scheduler, kubelet and proxy."""
    pki = folder / "pki"
    alone = ["--leader-elect=false", "--bind-address=127.0.0.1"]
    return [
        [
            str(programs / "kube-controller-manager"),
            f"--kubeconfig={pki}/kube-controller-manager.kubeconfig",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--root-ca-file={pki}/ca.pem",
            "--use-service-account-credentials",
            "--allocate-node-cidrs",
            "--cluster-cidr=10.244.0.0/16",
            *alone,
        ],
        [str(programs / "kube-scheduler"), f"--kubeconfig={pki}/kube-scheduler.kubeconfig", *alone],
        [
            str(programs / "kubelet"),
            f"--config={folder}/kubelet.json",
            f"--kubeconfig={pki}/kubelet.kubeconfig",
            f"--hostname-override={NODE}",
            f"--node-ip={NODE_ADDRESS}",
            "--root-dir=/var/lib/kubelet",
        ],
        [str(programs / "kube-proxy"), f"--config={folder}/kube-proxy.json"],
    ]
