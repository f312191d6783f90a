#!/usr/bin/env python3
"""Writes the shells' completions from the program's help texts: completions.py CALLREEL RECORDING_ERROR_DEF OUT_DIR writes
OUT_DIR/callreel.bash, _callreel (zsh) and callreel.fish. The command table in src/cmd/main.c is the only list of commands."""
import re
import subprocess
import sys
from pathlib import Path

GLOBAL = {"--help": None, "--config": "FILE", "--json": None}
FILES = {"FILE", "F"}


class Usage:
    """One line of a command's help: "callreel COMMAND [VERB] …"."""

    def __init__(self, command, verb, rest):
        self.command, self.verb = command, verb
        self.options = dict(GLOBAL)  # to the name of its value, None where it takes none
        for option, value in re.findall(r"(--[a-z][a-z-]*)(?: ([^\s\[\]-][^\s\]]*))?", rest):
            self.options[option] = None if value in ("", "|") else value.removesuffix("...")
        self.takes_file = bool(re.search(r"(?<!\S)FILE\b", re.sub(r"--\S+ FILE", "", rest)))


def said(program, *words):
    done = subprocess.run([program, *words, "--help"], check=True, capture_output=True, text=True)
    return done.stdout


def commands(program):
    """Name to its summary and usages, in the order of the table."""
    found = {}
    for name, summary in re.findall(r"^  (\w+) +(\S.*)$", said(program), re.M):
        head = said(program, name).split("\n\n")[0]
        lines = re.sub(r"\n +", " ", head).splitlines()
        usages = []
        for line in lines:
            verb, rest = re.fullmatch(rf"callreel {name}(?: ([a-z]+)(?= |$))?(.*)", line).groups()
            same = [u for u in usages if u.verb == verb]
            if same:
                same[0].options.update(Usage(name, verb, rest).options)
            else:
                usages.append(Usage(name, verb, rest))
        found[name] = (summary, usages)
    return found


def choices(value, codes):
    """The words that a value can be; None if they are not known."""
    if value == "CODE":
        return codes
    return value.split("|") if value and "|" in value else None


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


# ---- bash ----

BASH = """# bash completion of callreel(1)
_callreel() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}} verb=${{COMP_WORDS[2]-}}
  local words="" files=""
  if [ "$COMP_CWORD" -eq 1 ]; then command="" verb=""; fi
  if [ "$COMP_CWORD" -eq 2 ]; then verb=""; fi
  case "$command $before" in
{values}
    *)
      case "$command $verb" in
{options}
      esac
      ;;
  esac
  COMPREPLY=()
  if [ -n "$words" ]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"); fi
  if [ -n "$files" ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$word")
  fi
}}
complete -F _callreel callreel
"""


def bash(table, codes):
    values, options = {}, [f'        " ") words="{" ".join([*table, "--help", "--version"])}" ;;']
    for name, (_, usages) in table.items():
        verbs = [u.verb for u in usages if u.verb]
        for u in usages:
            known = {option: value for option, value in u.options.items() if value}
            for option, value in known.items():
                words = choices(value, codes)
                act = f'words="{" ".join(words)}"' if words else "files=1" if value in FILES else ":"
                values[f'"{name} {option}"'] = act
            act = f'words="{" ".join(u.options)}"' + (" files=1" if u.takes_file else "")
            options.append(f'        "{name} {u.verb}") {act} ;;' if u.verb else f'        "{name} "*) {act} ;;')
        if verbs:
            options.append(f'        "{name} "*) words="{" ".join([*verbs, "--help"])}" ;;')
    return BASH.format(values="\n".join(f"    {case}) {act} ;;" for case, act in values.items()), options="\n".join(options))


# ---- zsh ----

ZSH = """#compdef callreel
# zsh completion of callreel(1)
_callreel() {{
  local -a names=(
{names}
  )
  if (( CURRENT == 2 )); then
    _describe command names
    return
  fi
  case "$words[2] ${{words[3]-}}" in
{cases}
  esac
}}
_callreel "$@"
"""


def zsh_option(option, value, codes):
    if not value:
        return quoted(f"*{option}")
    words = choices(value, codes)
    act = f"({' '.join(words)})" if words else "_files" if value in FILES else " "
    return quoted(f"*{option}=:{'one of these' if words else value.lower()}:{act}")


def zsh(table, codes):
    names = [f"    {quoted(name + ':' + summary.replace(':', chr(92) + ':'))}" for name, (summary, _) in table.items()]
    cases = []
    for name, (_, usages) in table.items():
        verbs = [u.verb for u in usages if u.verb]
        for u in usages:
            specs = [zsh_option(option, value, codes) for option, value in u.options.items()]
            specs += [quoted("*:file:_files")] if u.takes_file else []
            skip = 2 if u.verb else 1
            case = f'"{name} {u.verb}"' if u.verb else f'"{name} "*'
            call = " \\\n        ".join(["_arguments", *specs])
            guard = f"(( CURRENT > 3 )) && {{ shift 2 words; (( CURRENT -= 2 ))\n      {call}; return; }}" if u.verb else \
                f"shift {skip} words; (( CURRENT -= {skip} ))\n      {call}"
            cases.append(f"    {case})\n      {guard}" + ("\n      ;|" if u.verb else "\n      ;;"))
        if verbs:
            cases.append(f'    "{name} "*)\n      (( CURRENT == 3 )) && compadd -- {" ".join(verbs)} --help\n      ;;')
    return ZSH.format(names="\n".join(names), cases="\n".join(cases))


# ---- fish ----

FISH = """# fish completion of callreel(1)
# True: the command line begins with these words. A verb may have the name of a command.
function __callreel_begins_with
  set -l words (commandline -opc)
  set -l last (math (count $argv) + 1)
  test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end
complete -c callreel -f"""


def fish(table, codes):
    lines = [FISH]
    for name, (summary, usages) in table.items():
        lines.append(f"complete -c callreel -n __fish_use_subcommand -a {name} -d {quoted(summary)}")
        seen = f"__callreel_begins_with {name}"
        verbs = " ".join(u.verb for u in usages if u.verb)
        if verbs:
            lines.append(f"complete -c callreel -n {quoted(f'{seen}; and not __fish_seen_subcommand_from {verbs}')} -a {quoted(verbs)}")
        for u in usages:
            when = quoted(f"{seen} {u.verb}" if u.verb else seen)
            for option, value in u.options.items():
                words = choices(value, codes)
                takes = "" if not value else f" -x -a {quoted(' '.join(words))}" if words else " -r -F" if value in FILES else " -x"
                lines.append(f"complete -c callreel -n {when} -l {option[2:]}{takes}")
            if u.takes_file:
                lines.append(f"complete -c callreel -n {when} -F")
    return "\n".join(lines) + "\n"


def main(program, errors, out):
    table = commands(program)
    codes = re.findall(r'^X\(\w+, "(\w+)"', Path(errors).read_text(), re.M)
    for name, text in (("callreel.bash", bash), ("_callreel", zsh), ("callreel.fish", fish)):
        (Path(out) / name).write_text(text(table, codes))


main(*sys.argv[1:])
