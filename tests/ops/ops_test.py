"""What operators are given, held against the program: manual, completions, unit, alerts. Prints TAP.

ops_test.py [DIRECTORY]: where the completions are."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMPLETIONS = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build-test/deploy")  # as they were made
TESTS = []


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def read(path):
    return (ROOT / path).read_text()


def run(*command):
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def commands():
    """Name to the text of its help, from the table in main.c."""
    table = re.search(r"cmd_table\[\] = \{(.*?)\n\};", read("src/cmd/main.c"), re.S)[1]
    rows = re.split(r"\n    \{", table)[1:]
    found = {re.match(r'"(\w+)"', row)[1]: row for row in rows if row.startswith('"')}
    assert "serve" in found and "version" in found, found
    return found


def options():
    """Command to the options that its help names."""
    return {name: set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", row)) for name, row in commands().items()}


def settings():
    names = re.findall(r"^CONF_\w+\((\w+),", read("src/base/conf.def"), re.M)
    assert "LISTEN" in names
    return names


def metrics():
    """Name to its labels' closed lists, histograms with their three endings."""
    text = read("src/base/metric.def")
    sets = {}
    for match in re.finditer(r'^LABEL\((\w+), "(\w*)",(.*?)\)\)\n', text, re.S | re.M):
        sets[match[1]] = (match[2], set(re.findall(r'V\(\w+, \w+, (?:"([^"]*)"|\w+)', match[3] + ")")))
    found = {}
    for match in re.finditer(r'^(?:COUNTER|LEVEL|GAUGE|READING)\(\w+, "(\w+)", (\w+), (\w+),', text, re.M):
        found["callreel_" + match[1]] = dict(sets[name] for name in (match[2], match[3]) if name != "NONE")
    for match in re.finditer(r'^HISTOGRAM\(\w+, "(\w+)", \w+, (\w+),', text, re.M):
        own = {} if match[2] == "NONE" else dict([sets[match[2]]])
        for ending, labels in (("_bucket", {**own, "le": None}), ("_sum", own), ("_count", own)):
            found["callreel_" + match[1] + ending] = labels
    assert found["callreel_plays_total"] == {"result": {"hit", "live", "wait", "gone"}}, found
    return found


def missing(names, there):
    lacks = sorted(set(names) - set(there))
    assert not lacks, "missing: " + ", ".join(lacks)


@test
def the_manual_names_every_command():
    missing(commands(), re.findall(r"^\.It Cm (\w+)", read("docs/callreel.1"), re.M))


@test
def the_manual_names_every_option():
    manual = set(re.findall(r"Fl -([a-z-]+)", read("docs/callreel.1")))
    missing(set().union(*options().values()), manual)


@test
def the_manual_names_every_setting_and_no_other():
    named = re.findall(r"^\.It Ev (\w+)", read("docs/callreel.1"), re.M)
    missing(settings(), named)
    missing(named, settings())


@test
def the_manual_is_well_formed():
    code, said = run("mandoc", "-T", "lint", "-W", "warning", "docs/callreel.1")
    assert code == 0, said


BASH = """source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _callreel; printf '%s\\n' "${COMPREPLY[@]}" """
ZSH = """_describe() { print -rl -- "${(@P)2%%:*}" }; compadd() { shift; print -rl -- "$@" }
_arguments() { print -rl -- "$@" }
file=$1; shift; words=("$@"); CURRENT=$#; source $file """
FISH = 'source $argv[1]; complete -C "$argv[2]"'


def bash(*words):
    return run("bash", "-c", BASH, "bash", COMPLETIONS / "callreel.bash", *words)[1].split()


def zsh(*words):
    """What _arguments would offer of its specifications: '*--name=:message:(words)'."""
    code, said = run("zsh", "-f", "-c", ZSH, "zsh", COMPLETIONS / "_callreel", *words)
    assert code == 0, said
    specs = {line.lstrip("*").split("=")[0]: line for line in said.splitlines()}
    values = re.search(r":\((.*)\)$", specs[words[-2]]) if words[-2] in specs else None
    return values[1].split() if values else list(specs)


def fish(*words):
    code, said = run("fish", "--no-config", "-c", FISH, COMPLETIONS / "callreel.fish", " ".join(words))
    assert code == 0, said
    return [line.split("\t")[0] for line in said.splitlines()]


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def verbs():
    """Command to its verbs, of those that have some."""
    found = {name: sorted(set(re.findall(rf'(?:"|\\n)callreel {name} ([a-z]+)\b', row))) for name, row in commands().items()}
    assert found["audit"] == ["compare", "verify"], found
    return {name: own for name, own in found.items() if own}


def in_each_shell(check):
    """As one test a shell, so that one that is not installed skips its own alone."""
    for shell, complete in SHELLS.items():
        def each(complete=complete):
            check(lambda *words: complete("callreel", *words))
        each.__name__ = f"in_{shell}_{check.__name__}"
        test(each)
    return check


@in_each_shell
def every_command_is_offered(complete):
    missing(commands(), complete(""))


@in_each_shell
def every_option_of_a_command_is_offered_and_no_other(complete):
    of_commands = verbs()
    for name, wanted in options().items():
        offered = set()
        for verb in of_commands.get(name, [None]):
            offered.update(complete(*[word for word in (name, verb) if word], "--"))
        missing({"--" + option for option in wanted}, offered)
        missing({word for word in offered if word.startswith("--")}, {"--" + o for o in wanted | {"help", "config", "json"}})


@in_each_shell
def verbs_are_offered_and_have_options_of_their_own(complete):
    for name, own in verbs().items():
        missing(own, complete(name, ""))
    assert "--id" in complete("business", "add", "--") and "--id" not in complete("business", "set", "--")
    assert "--purge" in complete("business", "remove", "--") and "--purge" not in complete("business", "add", "--")


@in_each_shell
def values_that_are_known_are_offered(complete):
    codes = re.findall(r'^X\(\w+, "(\w+)"', read("src/domain/recording_error.def"), re.M)
    assert len(codes) > 10
    for words, wanted in ((("retry", "--code"), codes), (("serve", "--role"), ["all", "web", "worker"]),
                          (("key", "create", "--role"), ["viewer", "agent", "admin"])):
        assert sorted(complete(*words, "")) == sorted(wanted), words


@test
def the_units_are_confined():
    for unit in ("callreel", "callreel-whisper"):
        code, said = run("systemd-analyze", "security", "--offline=true", "--threshold=20", f"deploy/{unit}.service")
        if "Unknown" in said or "unrecognized" in said:
            raise Skip("this systemd judges no files")
        assert code == 0, said


@test
def the_speech_engine_is_asked_where_it_listens():
    """The unit's port and the compose files' name are those of the settings, and nobody else reaches the engine."""
    port = re.search(r'CONF_TEXT\(SPEECH_URL, \w+, "http://127\.0\.0\.1:(\d+)"', read("src/base/conf.def"))[1]
    unit = read("deploy/callreel-whisper.service")
    assert f"--port {port}\n" in unit and "IPAddressDeny=any\nIPAddressAllow=localhost\n" in unit and "CPUWeight=idle" in unit
    assert f"--port {port} " in read("deploy/Dockerfile.speech")
    for name in ("compose.yml", "compose.prod.yml"):
        compose = read(name)
        service = re.search(r"^  speech:\n((?:    .*\n|\n)+)", compose, re.M)[1]
        assert f"SPEECH_URL: ${{SPEECH_URL:-http://speech:{port}}}" in compose and "networks: [speech]" in service and "ports:" not in service
        assert re.search(r"^networks:\n  default:\n  speech:\n    internal: true$", compose, re.M)


@test
def the_unit_waits_longer_for_the_end_than_the_program_takes():
    waits = int(re.search(r"^TimeoutStopSec=(\d+)s", read("deploy/callreel.service"), re.M)[1])
    conf = read("src/base/conf.def")
    takes = sum(int(re.search(rf"CONF_INT\({name}, \w+, (\d+),", conf)[1]) for name in ("DRAIN_DELAY", "DRAIN_TIMEOUT"))
    assert waits > takes


@test
def the_table_of_requirements_names_tests_that_exist():
    table = read("docs/ops/asvs.md")
    stories = re.findall(r"`(test_\w+)::(test_\w+)`", table)
    assert len(stories) > 30
    missing([name for _, name in stories],
            [name for file, name in stories if f"def {name}(" in read(f"tests/story/{file}.py")])
    files = re.findall(r"`((?:tests|src|script|docs)/[\w/.-]+)`", table)
    missing(files, [file for file in files if (ROOT / file).exists()])
    for row in re.findall(r"^\| [\d].*", table, re.M):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4 and (cells[3] or cells[1] in ("n/a", "no", "in part")), row


@test
def alerts_ask_for_figures_and_values_that_exist():
    known = metrics()
    expressions = re.sub(r"summary:.*", "", read("deploy/alerts.yml"))
    used = re.findall(r"(callreel_\w+)(?:\{([^}]*)\})?", expressions)
    assert len(used) > 20
    for name, matchers in used:
        assert name in known, f"no figure {name}"
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers):
            assert label in known[name], f"{name} has no label {label}"
            for each in value.split("|") if "~" in operator else [value]:
                assert each in known[name][label], f'{name} is never {label}="{each}"'


@test
def every_alert_says_what_to_do():
    alerts = re.findall(r"- alert: (\w+)", read("deploy/alerts.yml"))
    told = re.findall(r"^## (\w+)", read("docs/ops/alerts.md"), re.M)
    assert len(set(alerts)) == len(alerts) and sorted(alerts) == sorted(told), set(alerts) ^ set(told)


@test
def prometheus_takes_the_rules():
    code, said = run("promtool", "check", "rules", "deploy/alerts.yml")
    assert code == 0, said


@test
def alerts_fire_when_they_should_and_else_stay_quiet():
    code, said = run("promtool", "test", "rules", "tests/ops/alerts_test.yml")
    assert code == 0, said


def main():
    failed = 0
    print(f"1..{len(TESTS)}")
    for number, function in enumerate(TESTS, 1):
        try:
            function()
            print(f"ok {number} - {function.__name__}")
        except Skip as why:
            print(f"ok {number} - {function.__name__} # SKIP {why}")
        except Exception as why:  # any other is a failure of this test alone
            failed += 1
            print(f"not ok {number} - {function.__name__}")
            print("\n".join("# " + line for line in f"{type(why).__name__}: {why}".splitlines()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
