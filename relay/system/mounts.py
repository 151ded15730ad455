"""What a directory lies on, as /proc/self/mountinfo tells it (proc(5)); Linux alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

_MEMORY = frozenset({"tmpfs", "ramfs"})
_LAYER = frozenset({"overlay", "aufs", "fuse.fuse-overlayfs"})
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.sshfs", "fuse.glusterfs"}
)
# Where they come from tells these, which look like any disk.
_EMPTY_DIR = "/volumes/kubernetes.io~empty-dir/"
_UNNAMED_VOLUME = re.compile(r"/volumes/[0-9a-f]{64}/_data$")
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: where, of what kind, and which part of its file system."""

    point: str
    kind: str
    root: str = "/"

    @property
    def danger(self) -> str:
        """Why a spool should not lie there; empty: nothing is known against it."""
        if self.kind in _MEMORY:
            return f"on {self.kind}, in memory: a restart of the machine loses its mail"
        if self.kind in _LAYER:
            return (
                "in the container's own layer, which goes with the container and the "
                "mail in it; mount a volume there"
            )
        if _EMPTY_DIR in self.root:
            return (
                "on an emptyDir, which goes with the pod and the mail in it; use a "
                "volume claim"
            )
        if _UNNAMED_VOLUME.search(self.root):
            return (
                "on a volume without a name, which a new container does not get again; "
                "name one"
            )
        if self.kind in _NETWORK:
            return (
                f"on {self.kind}: SQLite's write-ahead log needs a local disk, and its "
                "locks may not hold over a network"
            )
        return ""


def under(directory: Path) -> Mount | None:
    """The mount that a directory lies on; None where the system does not tell."""
    try:
        text = MOUNTINFO.read_text("utf-8", "surrogateescape")
        return mount_of(directory.resolve(), text.split("\n"))
    except OSError:
        return None


def mount_of(directory: Path, lines: Iterable[str]) -> Mount | None:
    """The mount that an absolute directory lies on, of the lines of mountinfo."""
    best = None
    for line in lines:
        mount = _mount(line)
        if mount is None or not directory.is_relative_to(mount.point):
            continue
        # Of two on one point the later one covers the other.
        if best is None or len(mount.point) >= len(best.point):
            best = mount
    return best


def _mount(line: str) -> Mount | None:
    before, dash, after = line.partition(" - ")
    fields, kind = before.split(" "), after.split(" ")[0]
    if not dash or len(fields) < 6:
        return None
    return Mount(_unescaped(fields[4]), kind, _unescaped(fields[3]))


def _unescaped(text: str) -> str:
    """A path with the kernel's \\040 for a space, \\011, \\012 and \\134."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
