"""Certificates for tests, made by the machine's openssl; where there is none, tests that want them skip."""

import shutil
import subprocess
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl, which makes the certificates, is not installed")
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class Authority:
    """A certificate authority of one test run."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.cert, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        self._run(
            "req",
            "-x509",
            "-nodes",
            *_NEW_KEY,
            "-keyout",
            self._key,
            "-out",
            self.cert,
            "-days",
            2,
            "-subj",
            f"/CN={name}",
        )

    def issue(self, who: str) -> tuple[str, str]:
        """A certificate for the loopback address and its key, as paths."""
        stem = f"{self.name}-{who}"
        cert, key, request, more = (self.folder / f"{stem}.{end}" for end in ("pem", "key", "csr", "ext"))
        more.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._run("req", "-nodes", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={who}")
        self._run("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-CAcreateserial",
                  "-out", cert, "-days", 1, "-extfile", more)  # fmt: skip
        return str(cert), str(key)

    def _run(self, *words: object) -> None:
        command = [OPENSSL or "openssl", *map(str, words)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
