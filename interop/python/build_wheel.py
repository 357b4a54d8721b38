"""Makes a wheel of the package ipckit: a build backend (PEP 517) of the standard library alone, so
that pip needs no network. It puts libipckit into the wheel: $IPCKIT_LIBRARY, or else what make -C
../c builds.
"""

import base64
import glob
import hashlib
import os
import subprocess
import sysconfig
import tempfile
import zipfile

# pyproject.toml says the same; Python 3.9 cannot read it.
NAME = "ipckit"
VERSION = "1.0.0"
METADATA = f"""Metadata-Version: 2.1
Name: {NAME}
Version: {VERSION}
Summary: Queues and locks in shared memory that survive their users, shared with Node.js and C
License: MIT
Requires-Python: >=3.9
"""

HERE = os.path.dirname(os.path.abspath(__file__))


def _library():
    """The bytes of libipckit.so.1."""
    chosen = os.environ.get("IPCKIT_LIBRARY")
    if chosen:
        with open(chosen, "rb") as file:
            return file.read()
    makefile = os.path.join(os.path.dirname(HERE), "c")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "libipckit.so.1")
        # pip runs us with its own output; make's would be shown as ours.
        subprocess.run(["make", "--silent", "-C", makefile, f"BUILD={folder}", path], check=True)
        with open(path, "rb") as file:
            return file.read()


def _record(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    tag = f"py3-none-{platform}"
    info = f"{NAME}-{VERSION}.dist-info"
    files = {}
    for path in sorted(glob.glob(os.path.join(HERE, NAME, "*.py"))):
        with open(path, "rb") as file:
            files[f"{NAME}/{os.path.basename(path)}"] = file.read()
    files[f"{NAME}/libipckit.so.1"] = _library()
    files[f"{info}/METADATA"] = METADATA.encode()
    files[
        f"{info}/WHEEL"
    ] = f"Wheel-Version: 1.0\nGenerator: ipckit\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    record = "".join(_record(name, data) for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

    wheel = f"{NAME}-{VERSION}-{tag}.whl"
    with zipfile.ZipFile(
        os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED
    ) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel
