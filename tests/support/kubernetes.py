# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes cluster of one node for tests, on this machine.

    python -m tests.support.kubernetes up [IMAGES...]     start it, and let it run
    python -m tests.support.kubernetes images IMAGES...   build these images if need be, and give them to the node
    python -m tests.support.kubernetes load ARCHIVE...    the same with archives of `docker save`
    python -m tests.support.kubernetes restart            as if the machine lost its power and came back
    python -m tests.support.kubernetes down               stop it and remove all of it

IMAGES are those of cluster_images.py: cert-manager, jaeger, jaeger-rest, jaeger2, traced-api.

The machine that the node believes it runs on is a set of namespaces of this one: processes, mounts and network. So when
its first process ends, by us or with the test process, everything in it ends. Its network is a wire to this
machine and no way beyond: as with Minikube, the node is 192.168.49.2, and this machine is 192.168.49.1.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.support import cluster_images
from tests.support import kubernetes_parts as parts
from tests.support.docker import PATHS, program
from tests.support.go_programs import KUBERNETES, MODULES
from tests.support.servers import ROOT, listens, stop, wait_for

FOLDER = ROOT / ".local" / "kubernetes" / "run"
LOCK = Path("/run/lock/tracestack-kubernetes.lock")
WIRE = "tracestack-k8s"  # this machine's end of it
CGROUPS = Path("/sys/fs/cgroup")
# Folders whose names are fixed in the kubelet and the CNI plugins; in the node they are folders of ours.
FIXED = {"/var/lib/kubelet": "kubelet", "/var/lib/cni": "cni", "/var/log": "log"}
# The node's first process. It tells its number, as this machine counts, when all is prepared.
FIRST_PROCESS = """
folder=$1
shift
read -r pid rest </proc/self/stat
mount -t proc proc /proc
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
while [ $# -gt 0 ]; do
  mount --bind "$folder/$2" "$1"
  shift 2
done
ip link set lo up
sysctl -q -w net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
echo "$pid" >"$folder/pid.new"
mv "$folder/pid.new" "$folder/pid"
while :; do sleep 86400 & wait; done
"""


class Cluster:
    """The cluster whose files are in this folder. Made, it does not run yet; see cluster()."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder.resolve()  # runc wants no link in its paths
        self.kubeconfig = self.folder / "kubeconfig"
        self.lock = -1
        self.at_work = -1  # the file that those lock who use it; see cluster()
        self.node: subprocess.Popen[bytes] | None = None  # if it is we who started it

    @property
    def programs(self) -> Path:
        """The folder of kubectl and its kind, of the cluster's version."""
        return KUBERNETES.build().parent

    def attempt(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl, whatever comes of it."""
        command = self._kubectl(*arguments)
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl; what it printed."""
        done = self.attempt(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}\n{done.stdout[-4000:]}{done.stderr}"
        return done.stdout.strip()

    def get(self, *arguments: str) -> Any:
        """What kubectl get says, as JSON."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def images(self, *names: str, again: bool = False) -> None:
        """Give the node these images (cluster_images.IMAGES), built if need be. What it was given before, by whomever, it has."""
        for name in names:
            with (self.folder / f"images-{name}").open("a") as given:
                fcntl.flock(given, fcntl.LOCK_EX)  # several test processes; the work is done once
                if again or not os.fstat(given.fileno()).st_size:
                    with cluster_images.archives(name) as archives:
                        self.load(*archives)
                    given.write("given")

    def load(self, *archives: Path) -> None:
        """Give the node the images of these archives of docker save."""
        for archive in archives:
            self.inside(*self._ctr(), "images", "import", str(archive.resolve()))

    def push(self, image: str, name: str, user: str, password: str) -> None:
        """Put an image that the node has into a registry, under this name, and forget the name again."""
        source = image if "/" in image else f"docker.io/library/{image}"
        self.inside(*self._ctr(), "images", "tag", source, name)
        self.inside(*self._ctr(), "images", "push", "--plain-http", f"--user={user}:{password}", name)
        self.inside(*self._ctr(), "images", "remove", name)

    def inside(self, *command: str) -> str:
        """Run a command in the node; what it printed."""
        done = self._run_inside(command)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr}"
        return done.stdout.strip()

    @contextmanager
    def forwarded(self, namespace: str, target: str, *ports: str) -> Iterator[None]:
        """Keep kubectl's port-forward running until the block ends."""
        with self._kubectl_keeps("port-forward", f"--namespace={namespace}", target, *ports) as told:
            for _port in ports:
                assert told.readline(), f"no port-forward to {target}"
            yield

    @contextmanager
    def without_tls(self) -> Iterator[str]:
        """The URL of kubectl's proxy until the block ends: the administrator's way in for anybody on this machine."""
        with self._kubectl_keeps("proxy", "--port=0") as told:
            yield f"http://{told.readline().split()[-1]}"

    def _kubectl(self, *arguments: str) -> list[str]:
        return [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]

    @contextmanager
    def _kubectl_keeps(self, *arguments: str) -> Iterator[IO[str]]:
        """Keep kubectl running until the block ends; what it prints."""
        with subprocess.Popen(self._kubectl(*arguments), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            try:
                yield process.stdout
            finally:
                stop(process)

    @contextmanager
    def exposed(self, local_port: int, port: int) -> Iterator[str]:
        """Pass what comes to this port of 192.168.49.1 on to a port of the loopback interface, until the block ends."""
        listen = f"TCP-LISTEN:{port},bind={parts.HOST_ADDRESS},fork,reuseaddr"
        process = subprocess.Popen([program("socat", "socat"), listen, f"TCP:127.0.0.1:{local_port}"])
        try:
            wait_for(lambda: process.poll() is not None or listens(port, parts.HOST_ADDRESS))
            assert process.poll() is None, f"socat cannot listen on {parts.HOST_ADDRESS}:{port}"
            yield f"{parts.HOST_ADDRESS}:{port}"
        finally:
            stop(process)

    def restart_node(self) -> None:
        """As if the machine lost its power and came back: all processes end at once, and all start again."""
        self._power_off()
        self._take_lock()
        self._power_on(tied=self.is_tied())

    def start(self, *, tied: bool) -> None:
        """Start a new one. tied: it ends when this process does, however that ends."""
        if os.geteuid() != 0:
            raise RuntimeError("The test cluster needs root, for namespaces, mounts and cgroups.")
        for name, package in NEEDED.items():
            program(name, package)
        self._take_lock()
        if interface := _holder(parts.HOST_ADDRESS):
            raise RuntimeError(
                f"{parts.HOST_ADDRESS} is the address of {interface} on this machine: stop the Minikube that runs here."
            )
        try:
            self._remove()  # of one that was killed
            for name in ("pki", "logs", "containerd", "etcd", *FIXED.values()):
                (self.folder / name).mkdir(parents=True)
            self.folder.chmod(0o700)
            if tied:
                (self.folder / "tied").touch()
            parts.credentials(self.folder)
            parts.settings(self.folder)
            self._power_on("node", tied=tied)
            self.kubectl("apply", f"--filename={MODULES / 'coredns.yaml'}")
            self.kubectl(
                "rollout", "status", "--namespace=kube-system", "deployment/coredns", "--timeout=120s"
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of it; remove its network, cgroups and files. What another cluster has stays."""
        self._power_off()
        self._take_lock()
        self._remove()
        self._drop_lock()

    def is_running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._pid() > 0

    def is_tied(self) -> bool:
        """Whether it ends with a test process."""
        return (self.folder / "tied").exists()

    def wait_for_the_others(self) -> None:
        """Until no other test process uses it, and for none to begin: from now on, it may be restarted and stopped."""
        while not _locks(self.at_work):
            assert self.is_running(), "the test cluster has ended, as the process has that started it"
            time.sleep(0.5)

    def _take_lock(self) -> None:
        """One cluster on a machine. Its first process gets the lock, which so holds as long as the cluster runs."""
        self._drop_lock()
        LOCK.parent.mkdir(parents=True, exist_ok=True)
        self.lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        wire = Path("/sys/class/net", WIRE)
        end = time.monotonic() + 5  # one that has just ended may have either for another moment
        while not _locks(self.lock) or wire.exists():
            if time.monotonic() < end:
                time.sleep(0.1)
                continue
            where = LOCK.read_text()
            raise RuntimeError(
                f"A test cluster runs on this machine already; its files are in {where}. Use it, with "
                f"TRACESTACK_TEST_CLUSTER={where}, or end it: python -m tests.support.kubernetes down."
            )
        os.truncate(self.lock, 0)
        os.write(self.lock, bytes(self.folder))

    def _drop_lock(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def _power_on(self, *images: str, tied: bool) -> None:
        """Make the node, and start everything in it. Images that it had before, it still has."""
        for place in FIXED:
            Path(place).mkdir(parents=True, exist_ok=True)
        for controller in _controllers():
            (controller / parts.CGROUP).mkdir(exist_ok=True)
        self.node = self._start_node(tied=tied)
        self._drop_lock()
        running = {"node": self.node}
        _wait("node", running, self.folder, lambda: self._pid() > 0)
        _connect(self._pid())
        for command in (
            parts.etcd(self.folder),
            parts.containerd(self.folder),
            parts.api_server(self.programs, self.folder),
        ):
            running |= self._start(command)
        _wait(
            "containerd",
            running,
            self.folder,
            lambda: self._run_inside([*self._ctr(), "version"]).returncode == 0,
        )
        self.images(*images)
        _wait(
            "kube-apiserver",
            running,
            self.folder,
            lambda: self.attempt("get", "--raw=/readyz").returncode == 0,
        )
        for command in parts.clients(self.programs, self.folder):
            running |= self._start(command)
        _wait("kubelet", running, self.folder, self._is_ready)

    def _start_node(self, *, tied: bool) -> subprocess.Popen[bytes]:
        unshare = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        command = [*(["setpriv", "--pdeathsig=KILL"] if tied else []), *unshare]
        folders = [part for pair in FIXED.items() for part in pair]
        command += ["sh", "-ec", FIRST_PROCESS, "sh", str(self.folder), *folders]
        return self._spawn("node", command, keep=[self.lock])

    def _start(self, command: Sequence[str]) -> dict[str, subprocess.Popen[bytes]]:
        name = Path(command[0]).name
        return {name: self._spawn(name, [*self._enter(), *command])}

    def _spawn(self, name: str, command: Sequence[str], keep: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                pass_fds=keep,
                start_new_session=True,
            )

    def _power_off(self) -> None:
        pid = self._pid()
        if self.node:
            self.node.kill()
            self.node.wait()
            self.node = None
        if not pid:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 30
        while self._pid() or Path("/sys/class/net", WIRE).exists():
            if time.monotonic() > end:
                raise RuntimeError(
                    f"The test cluster, process {pid} and its children, did not end within 30 s."
                )
            time.sleep(0.1)
        (self.folder / "pid").unlink()

    def _remove(self) -> None:
        """Remove what its processes leave when they end, whoever ended them."""
        for controller in _controllers():
            _remove_cgroup(controller / parts.CGROUP)
        for place in map(Path, FIXED):
            if place.exists() and not any(place.iterdir()):
                place.rmdir()  # made by us; one in use has something in it
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pid(self) -> int:
        """The node's first process, if it runs."""
        try:
            pid = int((self.folder / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return 0
        return pid if bytes(self.folder) in command else 0

    def _ctr(self) -> list[str]:
        return ["ctr", f"--address={self.folder}/containerd/socket", "--namespace=k8s.io"]

    def _enter(self) -> list[str]:
        return ["nsenter", f"--target={self._pid()}", "--mount", "--pid", "--net", "--"]

    def _run_inside(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        command = [*self._enter(), *command]
        return subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)

    def _is_ready(self) -> bool:
        """Whether pods can be made."""
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        ready = self.attempt("get", "node", parts.NODE, f"--output=jsonpath={path}").stdout == "True"
        return ready and self.attempt("get", "serviceaccount", "default").returncode == 0


# Programs by Debian package
NEEDED = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "socat": "socat",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}


@contextmanager
def cluster() -> Iterator[Cluster]:
    """The cluster that TRACESTACK_TEST_CLUSTER names, or one of our own until the block ends.

    Test processes share our own: the first one starts it, is what it is tied to, and waits at its end for those that use it. Locks on
    files tell them of one another, and a process that dies drops its locks.
    """
    if folder := os.environ.get("TRACESTACK_TEST_CLUSTER"):
        running = Cluster(Path(folder))
        if not running.is_running():
            raise RuntimeError(f"TRACESTACK_TEST_CLUSTER: no cluster runs that has its files in {folder}.")
        yield running
        return
    own = Cluster()
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with (FOLDER.parent / "users").open("w") as users, (FOLDER.parent / "at-work").open("w") as at_work:
        own.at_work = at_work.fileno()
        fcntl.flock(at_work, fcntl.LOCK_SH)  # before the other one: who is alone may end the cluster
        mine = _started(own, users.fileno())
        try:
            yield own
        finally:
            fcntl.flock(at_work, fcntl.LOCK_UN)
            if mine:
                fcntl.flock(users, fcntl.LOCK_EX)
                own.stop()


def _started(own: Cluster, users: int) -> bool:
    """Have the cluster run, and be one of its users. Returns whether it was we who started it."""
    mine = False
    while True:
        fcntl.flock(users, fcntl.LOCK_SH)  # once nobody starts or ends it
        if own.is_running() and own.is_tied():
            return mine
        fcntl.flock(users, fcntl.LOCK_EX)
        if not (
            own.is_running() and own.is_tied()
        ):  # one that is not tied is none of a test's, and start() says so
            own.start(tied=True)
            mine = True


def _locks(file: int) -> bool:
    """Lock this file, if nobody else has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _environment() -> dict[str, str]:
    """That of the cluster's programs, which may take more memory for less work to free it."""
    return {**os.environ, "PATH": PATHS, "GOGC": "400"}


def _wait(
    name: str, running: Mapping[str, subprocess.Popen[bytes]], folder: Path, condition: Callable[[], bool]
) -> None:
    """Until this is true. Whoever keeps it from coming true is named, with what it said last."""
    end = time.monotonic() + 120
    while not condition():
        ended = [each for each, process in running.items() if process.poll() is not None]
        if ended or time.monotonic() > end:
            culprit = ended[0] if ended else name
            log = (folder / "logs" / f"{culprit}.log").read_text(errors="replace").splitlines()
            what = "ended" if ended else "was not ready within 120 s"
            raise RuntimeError(
                "\n".join([f"The test cluster did not start: {culprit} {what}. It said:", *log[-15:]])
            )
        time.sleep(0.5)  # each question is a process


def _connect(pid: int) -> None:
    """The wire between this machine and the node. Without a default route, nothing of the node gets beyond."""
    inside = ["nsenter", f"--target={pid}", "--net", "--", "ip"]
    for command in (
        ["ip", "link", "add", WIRE, "type", "veth", "peer", "name", "eth0", "netns", str(pid)],
        ["ip", "address", "add", f"{parts.HOST_ADDRESS}/24", "dev", WIRE],
        ["ip", "link", "set", WIRE, "up"],
        [*inside, "address", "add", f"{parts.NODE_ADDRESS}/24", "dev", "eth0"],
        [*inside, "link", "set", "eth0", "up"],
        # What kube-proxy turns aside needs some way to go first. By lo, its refusal for a service without pods would not come back, and
        # the API server would wait 10 s for each answer of a webhook that is not there.
        [*inside, "route", "add", parts.SERVICES, "dev", "eth0", "src", parts.NODE_ADDRESS],
    ):
        subprocess.run(command, env=_environment(), check=True)


def _holder(address: str) -> str:
    """The network interface that has this address, if any."""
    command = ["ip", "-json", "address", "show", "to", f"{address}/32"]
    shown = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True).stdout
    return next((each["ifname"] for each in json.loads(shown or "[]") if each), "")


def _controllers() -> list[Path]:
    """The roots of the cgroup hierarchies: several of version 1, or the one of version 2."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    return [each for each in CGROUPS.iterdir() if each.is_dir() and not each.is_symlink()]


def _remove_cgroup(folder: Path) -> None:
    """With those below. They are empty, as their processes have ended, but that may take a moment."""
    if not folder.exists():
        return
    for each in folder.iterdir():
        if each.is_dir():
            _remove_cgroup(each)
    end = time.monotonic() + 10
    while True:
        try:
            folder.rmdir()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def main() -> None:
    """Read the command line and do what it asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.kubernetes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    names = [name for name in cluster_images.IMAGES if name != "node"]
    for name in ("up", "images"):
        commands.add_parser(name).add_argument(
            "names", nargs="*" if name == "up" else "+", choices=[*names, []]
        )
    commands.add_parser("load").add_argument("archives", nargs="+", type=Path)
    commands.add_parser("restart")
    commands.add_parser("down")
    options = parser.parse_args()
    mine = Cluster()
    if options.command == "up":
        mine.start(tied=False)
        mine.images(*options.names)
        print(
            f"export KUBECONFIG={mine.kubeconfig} PATH={mine.programs}:$PATH TRACESTACK_TEST_CLUSTER={mine.folder}"
        )
    elif options.command == "down":
        mine.stop()
    elif not mine.is_running():
        raise RuntimeError("No test cluster runs: python -m tests.support.kubernetes up")
    elif options.command == "restart":
        mine.restart_node()
    elif options.command == "load":
        mine.load(*options.archives)
    else:
        mine.images(*options.names, again=True)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as failed:
        sys.exit(str(failed))
