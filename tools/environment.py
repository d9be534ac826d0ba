"""Make an environment hold what a lock file names, and nothing when it already does.

    python3 tools/environment.py run        .venv: what the demonstration and a server need
    python3 tools/environment.py test       that, and what the tests, checks and bench need;
                                            pyscard, where it can be built
    python3 tools/environment.py interop    .cache/interop: programs of other people, which ask
                                            for other versions, on Debian's python3-pyscard
    python3 tools/environment.py peers      .cache/peers: the servers that ours is measured with

Runs before there is a virtual environment, so the standard library must do. A stamp in each
remembers what was installed; two runs at once wait for each other.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent.resolve()
LOCKS = {
    "run": "requirements/run.txt",
    "test": "requirements/test.txt",  # holds all of run
    "pcsc": "requirements/pcsc.txt",
    "interop": "requirements/interop.txt",
    "peers": "requirements/peers.txt",
}
DEBIAN_PYTHON = "/usr/bin/python3"  # the only one that sees the packages of Debian
PYSCARD = Path("/usr/lib/python3/dist-packages/smartcard")
PCSC_HEADERS = Path("/usr/include/PCSC/winscard.h")  # of libpcsclite-dev


def main(purpose: str) -> int:
    """Set up the environment of *purpose*. 1 with a sentence when that cannot be."""
    ensurepip = importlib.util.find_spec("ensurepip")  # Debian has it in a package of its own
    if ensurepip is None or ensurepip.origin is None:
        print("python3-venv is missing: run  apt-get install python3-venv", file=sys.stderr)
        return 1
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with (cache / "environment.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another make to set up an environment", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if purpose == "interop":
                prepare_interop(cache / "interop")
            elif purpose == "peers":
                prepare_peers(cache / "peers")
            else:
                prepare(ROOT / ".venv", purpose)
        except subprocess.CalledProcessError as failure:
            print(f"The set-up stopped: {failure}", file=sys.stderr)
            return 1
    return 0


def prepare(venv: Path, purpose: str) -> None:
    """Do what the stamp of *venv* says is not done yet.

    Raises:
        CalledProcessError: making the environment or installing into it failed.
    """
    python = str(venv / "bin" / "python")
    stamp = venv / ".stamp"
    wanted = place(venv)
    have = read_stamp(stamp)
    if have.get("place") != wanted:
        # Also when the folder was moved or copied: the programs in it name their old place.
        print("Making .venv", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        have = {"place": wanted}
    if have.get("lock") not in enough(purpose):
        print(f"Installing {LOCKS[purpose]}", flush=True)
        # Hashes: what is installed is what was locked. Wheels only: nothing is compiled here.
        wheels = ["--require-hashes", "--only-binary", ":all:", "-r", LOCKS[purpose]]
        pip(python, "install", "--quiet", *wheels)
        have["lock"] = digest(LOCKS[purpose])
    if have.get("package") != digest("pyproject.toml"):
        pip(python, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
        have["package"] = digest("pyproject.toml")
    if purpose == "test" and have.get("pcsc") != digest(LOCKS["pcsc"]) and can_build_pyscard():
        print(f"Building {LOCKS['pcsc']}", flush=True)
        # The one library without wheels, by tools of the tests' lock and no others.
        built = ["--require-hashes", "--no-deps", "--no-build-isolation", "-r", LOCKS["pcsc"]]
        pip(python, "install", "--quiet", *built)
        have["pcsc"] = digest(LOCKS["pcsc"])
    if have != read_stamp(stamp):
        stamp.write_text(json.dumps(have, indent=1), encoding="utf-8")


def can_build_pyscard() -> bool:
    """Whether there are a compiler, and the headers of Python and of PC/SC."""
    python_headers = Path(sysconfig.get_path("include")) / "Python.h"
    compiler = shutil.which("cc") is not None
    return compiler and python_headers.exists() and PCSC_HEADERS.exists()


def prepare_interop(venv: Path) -> None:
    """Make the environment of other people's programs; none without Debian's pyscard.

    The pip of `.venv` fills it: Debian has its own in a package that may be missing.

    Raises:
        CalledProcessError: making it or installing into it failed.
    """
    if PYSCARD.exists():
        pyscard = [DEBIAN_PYTHON, "-m", "venv", "--system-site-packages"]
        fill(venv, "interop", made_by=pyscard, options=["--no-deps"])


def prepare_peers(venv: Path) -> None:
    """Make the environment of the servers that ours is measured with.

    Raises:
        CalledProcessError: making it or installing into it failed.
    """
    fill(venv, "peers", made_by=[sys.executable, "-m", "venv"], options=[])


def fill(venv: Path, purpose: str, *, made_by: list[str], options: list[str]) -> None:
    """Make *venv* hold the lock of *purpose* and nothing else, when it does not already.

    Raises:
        CalledProcessError: making it or installing into it failed.
    """
    wanted = {"place": place(venv), "lock": digest(LOCKS[purpose])}
    if read_stamp(venv / ".stamp") == wanted:
        return
    print(f"Installing {LOCKS[purpose]}", flush=True)
    subprocess.run([*made_by, "--clear", "--without-pip", str(venv)], check=True)
    wheels = [*options, "--require-hashes", "--only-binary", ":all:", "-r", LOCKS[purpose]]
    into = ["--python", str(venv / "bin" / "python")]
    pip(str(ROOT / ".venv" / "bin" / "python"), *into, "install", "--quiet", *wheels)
    (venv / ".stamp").write_text(json.dumps(wanted, indent=1), encoding="utf-8")


def place(venv: Path) -> str:
    """Where an environment stands, and for which Python it is."""
    return f"{venv} {sys.version_info.major}.{sys.version_info.minor}"


def enough(purpose: str) -> list[str]:
    """The digests of the locks that hold everything *purpose* needs."""
    names = ["run", "test"] if purpose == "run" else [purpose]
    return [digest(LOCKS[name]) for name in names]


def digest(path: str) -> str:
    """SHA-256 of a file of the project, 64 hex digits."""
    return hashlib.sha256((ROOT / path).read_bytes()).hexdigest()


def read_stamp(stamp: Path) -> dict[str, str]:
    """What is known to be installed; nothing when the stamp is missing or is cut."""
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def pip(python: str, *arguments: str) -> None:
    """Run the environment's own pip in the project's folder; what it builds finds its programs."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PATH": path})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
