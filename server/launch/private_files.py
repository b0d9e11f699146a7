"""Keeps what Triton creates from other users: traces and logs by the umask, shared memory by a system call filter.

Triton creates the shared memory of avatars with Boost, which overrides the umask by `fchmod(fd, 0644)`. The filter lets
this call succeed without effect.
"""

import ctypes
import os
import struct
from typing import Final

SYS_FCHMOD, SYS_SECCOMP = 91, 317  # x86-64
AUDIT_ARCH_X86_64: Final = 0xC000003E
PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_SET_MODE_FILTER: Final = 1
# Without this flag, Linux before 5.16 slows the process down by mitigations that a sandbox would need.
SECCOMP_FILTER_FLAG_SPEC_ALLOW: Final = 4
ALLOW, SUCCEED_WITHOUT_EFFECT = 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
# Offsets in `struct seccomp_data`.
SYSCALL, ARCHITECTURE, SECOND_ARGUMENT = 0, 4, 24
# Code, jump if true, jump if false, operand.
PROGRAM: Final = (
    (LOAD, 0, 0, ARCHITECTURE),
    (JUMP_IF_EQUAL, 0, 5, AUDIT_ARCH_X86_64),
    (LOAD, 0, 0, SYSCALL),
    (JUMP_IF_EQUAL, 0, 3, SYS_FCHMOD),
    (LOAD, 0, 0, SECOND_ARGUMENT),
    (JUMP_IF_EQUAL, 0, 1, 0o644),
    (RETURN, 0, 0, SUCCEED_WITHOUT_EFFECT),
    (RETURN, 0, 0, ALLOW),
)


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def make_files_private() -> bool:
    """Keep the files and shared memory of this process and its children private, also after `exec`.

    Returns:
        False if the kernel does not allow the filter, so that other users can read shared memory.
    """
    os.umask(0o077)
    libc = ctypes.CDLL(None)
    program = _Program(len(PROGRAM), b"".join(struct.pack("HBBI", *instruction) for instruction in PROGRAM))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    done = libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, ctypes.byref(program))
    return bool(done == 0)
