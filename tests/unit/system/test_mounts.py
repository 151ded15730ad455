"""What /proc/self/mountinfo tells of the place of a spool."""

# ruff: noqa: E501 - lines as the kernel writes them
from __future__ import annotations

from pathlib import Path

import pytest

from relay.system.mounts import Mount, mount_of

# As the kernel writes it (proc(5)): a container with a read-only layer, volumes of
# several kinds, a name with a space, and one mount over another.
MOUNTINFO = r"""
619 540 0:57 / / ro,relatime master:297 - overlay overlay rw,lowerdir=/l1,upperdir=/u
620 619 0:60 / /proc rw,nosuid - proc proc rw
621 619 0:61 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
622 619 0:62 / /tmp rw - tmpfs tmpfs rw
640 619 8:1 /var/lib/docker/volumes/mail_spool/_data /var/spool/relay rw - ext4 /dev/sda1 rw
641 619 8:1 /var/lib/docker/volumes/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/_data /unnamed rw shared:1 master:2 - ext4 /dev/sda1 rw
642 619 8:1 /var/lib/kubelet/pods/5a-7c/volumes/kubernetes.io~empty-dir/spool /empty rw - ext4 /dev/sda1 rw
643 619 8:1 /var/lib/kubelet/pods/5a-7c/volumes/kubernetes.io~csi/pvc-1/mount /claim rw - ext4 /dev/sdb rw
644 619 0:70 / /my\040disk rw - ext4 /dev/sdc rw
645 619 0:71 / /share rw - nfs4 server:/share rw,vers=4.2
646 619 0:72 / /twice rw - ext4 /dev/sdd rw
647 646 0:73 / /twice rw - tmpfs tmpfs rw
not a line of it
"""


@pytest.mark.parametrize(
    ("directory", "danger"),
    [
        ("/", "in the container's own layer"),
        ("/home/relay", "in the container's own layer"),
        ("/tmp", "on tmpfs, in memory"),
        ("/tmp/deep/down", "on tmpfs, in memory"),
        ("/tmpfile", "in the container's own layer"),
        ("/var/spool", "in the container's own layer"),
        ("/var/spool/relay", ""),
        ("/unnamed", "on a volume without a name"),
        ("/empty", "on an emptyDir"),
        ("/claim", ""),
        ("/my disk/spool", ""),
        ("/share", "on nfs4"),
        ("/twice", "on tmpfs, in memory"),
    ],
)
def test_the_longest_mount_point_tells_the_danger(directory: str, danger: str) -> None:
    mount = mount_of(Path(directory), MOUNTINFO.split("\n"))
    assert mount is not None
    assert mount.danger.partition(":")[0].startswith(danger)
    assert bool(mount.danger) == bool(danger)


def test_escaped_characters_are_the_paths_own() -> None:
    line = r"1 0 8:1 /a\134b /c\011d\012e rw - ext4 /dev/sda1 rw"
    assert mount_of(Path("/c\td\ne/f"), [line]) == Mount("/c\td\ne", "ext4", "/a\\b")


def test_without_lines_nothing_is_known() -> None:
    assert mount_of(Path("/"), []) is None
