"""Guard: what a stranger's code may not do in the dry run. Python runs this file before any other.

No network (each attempt is noted in the file DRY_RUN_NETWORK), no packages of this project; on
Linux no sockets but those of the families in DRY_RUN_SOCKETS, so none to other programs; and, where
the kernel offers Landlock (Linux 5.13), no writing outside the folders in DRY_RUN_WRITE and no
reading outside those in DRY_RUN_READ. DRY_RUN_STATE is told what is in force.
"""

import contextlib
import ctypes
import importlib.machinery
import json
import os
import platform
import socket
import struct
import sys
from typing import Any

OURS = {"zoo", "submission", "harness"}
READ = 4 | 8 | 1  # of Landlock's rights: read file, read folder, execute
RIGHTS = (1 << 13) - 1  # all that its first version knows
CREATE, ADD, RESTRICT = 444, 445, 446  # system calls, the same on every processor
IO_URING = 425  # so is this one
# Processor -> its mark, and its calls socket and socketpair.
SOCKETS = {"x86_64": (0xC000003E, 41, 53), "aarch64": (0xC00000B7, 198, 199)}
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # of the kernel's filters
Rule = tuple[int, int, int, int]
ALLOW, REFUSE = (RETURN, 0, 0, 0x7FFF0000), (RETURN, 0, 0, 0x00050000 | 13)  # 13: EACCES


def close_network() -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        if isinstance(args[0], socket.socket) and args[0].family == socket.AF_UNIX:
            raise ConnectionRefusedError("there are no other programs in the dry run")
        with contextlib.suppress(KeyError, OSError), open(os.environ["DRY_RUN_NETWORK"], "a") as f:
            f.write(f"{args[-1] if isinstance(args[0], socket.socket) else args[:2]}\n")
        raise OSError("there is no network in the dry run, nor may there be on the platform")

    for where, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"),
                        (socket, "getaddrinfo"), (socket, "create_connection")):
        setattr(where, name, refuse)


def close_sockets() -> bool:
    """Let the kernel refuse sockets, whoever asks for them; False where it can't.

    What close_network() refuses, it refuses only to Python code that asks Python's own functions.
    """
    known = SOCKETS.get(platform.machine())
    if sys.platform != "linux" or known is None or sys.maxsize < 2**32:
        return False
    families = [int(family) for family in os.environ["DRY_RUN_SOCKETS"].split()]
    rules = b"".join(struct.pack("=HBBI", *rule) for rule in socket_rules(*known, families))
    held = ctypes.create_string_buffer(rules, len(rules))
    program = struct.pack("@HP", len(rules) // 8, ctypes.addressof(held))
    done = ctypes.CDLL(None).prctl(22, 2, ctypes.create_string_buffer(program, len(program)))
    return bool(done == 0)  # 22: PR_SET_SECCOMP, 2: a filter


def socket_rules(mark: int, create: int, pair: int, families: list[int]) -> list[Rule]:
    """A filter of system calls: (operation, skip if true, skip if false, value) each.

    Refused are calls in another processor's numbering, io_uring (it opens sockets too), sockets of
    all but ``families``, and pairs of sockets that could be turned to somebody else.
    """
    def only(values: list[int]) -> list[Rule]:
        return [rule for v in values for rule in ((EQUAL, 0, 1, v), ALLOW)] + [REFUSE]

    by_family = [(LOAD, 0, 0, 16), *only(families)]
    by_type = [(LOAD, 0, 0, 24), (AND, 0, 0, 15), *only([1, 5])]  # stream, seqpacket
    return [(LOAD, 0, 0, 4), (EQUAL, 1, 0, mark), REFUSE,
            (LOAD, 0, 0, 0), (AT_LEAST, 0, 1, 1 << 30), REFUSE, (EQUAL, 0, 1, IO_URING), REFUSE,
            (EQUAL, 0, len(by_family), create), *by_family,
            (EQUAL, 0, len(by_type), pair), *by_type, ALLOW]


class Hidden:
    """Finds this project's packages only where the submission brings its own of that name."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if path is not None or name not in OURS:
            return None
        own = os.environ.get("DRY_RUN_SUBMISSION", "")
        spec = importlib.machinery.PathFinder.find_spec(name, [own])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec


def clean_path() -> None:
    """Leave nothing on the import path but Python's own folders and the program's."""
    here = os.path.dirname(os.path.abspath(__file__))
    kept = [os.path.realpath(p) for p in (sys.prefix, sys.base_prefix)]
    sys.path[:] = [p for p in sys.path if os.path.realpath(p) != here and
                   any(os.path.realpath(p).startswith(k + os.sep) for k in kept)]
    sys.meta_path[:] = [f for f in sys.meta_path
                        if not getattr(f, "__module__", "").startswith("__editable__")]
    sys.meta_path.insert(0, Hidden)


def landlock() -> bool:
    """Restrict this process and its children; False where the kernel can't."""
    if sys.platform != "linux":
        return False
    call = ctypes.CDLL(None, use_errno=True).syscall
    attributes = ctypes.create_string_buffer(struct.pack("Q", RIGHTS), 8)
    rules = call(CREATE, attributes, ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    for variable, rights in (("DRY_RUN_READ", READ), ("DRY_RUN_WRITE", RIGHTS)):
        for folder in os.environ[variable].split(os.pathsep):
            allow(call, rules, folder, rights)
    done = call(RESTRICT, rules, 0) == 0
    os.close(rules)
    return bool(done)


def no_new_privileges() -> None:
    """Nothing gained by setuid programs; Landlock and filters demand it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS


def allow(call: Any, rules: int, path: str, rights: int) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):
            rights &= 1 | 2 | 4  # what a file can grant: execute, write, read
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, handle), 12)
        call(ADD, rules, 1, rule, 0)
        os.close(handle)


def end_with_parent() -> None:
    """When the dry run is killed, nothing goes on without its limits."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL


def limit_files() -> None:
    """No core dumps, and no file larger than DRY_RUN_FILE bytes."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        size = int(os.environ["DRY_RUN_FILE"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


if "DRY_RUN_STATE" in os.environ:
    end_with_parent()
    limit_files()
    close_network()
    clean_path()
    no_new_privileges()
    state = {"files": landlock(), "sockets": close_sockets(), "python": platform.python_version()}
    with open(os.environ["DRY_RUN_STATE"], "w") as f:
        json.dump(state, f)
