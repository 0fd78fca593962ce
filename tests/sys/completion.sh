#!/bin/bash
# Covers: completion scripts in real shells: bash, and zsh and fish where they are installed: commands, options, values of options,
# files, DAGs and runs of a running daemon; silence, and soon, without one or with one that does not answer.
# Does not cover: how shells show them.
set -u
for tool in jq curl python3; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin completion
PATH=${SLUICE_BUILD_DIR:?}/core/cli:$PATH
"$sluice" completion bash >sluice.bash
"$sluice" completion zsh >_sluice
"$sluice" completion fish >sluice.fish
complete_bash() { # complete_bash WORD...: what bash offers for the last word, one a line
	bash --norc -c '. ./sluice.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice 2>"$0"; [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' .noise "$@" | sort
	[ -s .noise ] && grep -v compopt .noise && fail "bash completion is not silent"
}
offers() { # offers TEXT WORD...: bash offers exactly these
	local want=$1 got
	shift
	got=$(complete_bash "$@" | tr '\n' ' ')
	checks=$((checks + 1))
	[ "$got" = "$want" ] || fail "for \"$*\" bash offers \"$got\", not \"$want\""
}
offers 'pause plan plugin pools ' sluice p
offers 'planted ' sluice nonesuch --f >/dev/null
[ "$failures" = 1 ] || die "a wrong offer goes unnoticed"
failures=0
offers '' sluice nonesuch --f
offers '--param ' sluice run --par
offers '--downstream ' sluice rerun --dow
offers 'json ndjson text ' sluice runs -o ''
offers 'list ' sluice plugin li
offers 'bash ' sluice completion b
touch file.yaml
offers 'file.yaml ' sluice check 'fi'
offers 'file.yaml ' sluice dags --config 'fi'

echo "# every command and option of the help, and nothing else"
mkdir none && cd none && cp ../sluice.bash . # no files, no daemon
help_commands() { "$sluice" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'; }
help_options() { "$sluice" "$1" --help | sed -n '/^Options:/,$s/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p' | sort | tr '\n' ' '; }
offers "$({ help_commands; echo help; } | sort | tr '\n' ' ')" sluice ''
offers "$(help_commands | sort | tr '\n' ' ')" sluice help ''
for command in $(help_commands); do
	offers "$(help_options "$command")" sluice "$command" --
done
# the words behind a command are those that it names when it is given another
for command in backfill cursor hook notify plugin token; do
	knows=$("$sluice" "$command" nonesuch x 2>&1)
	for word in $(complete_bash sluice "$command" '' | grep -vF .); do
		checks=$((checks + 1))
		[[ $knows == *[\ \`]"$word"[\ ,\`]* ]] || fail "\`$command $word\` is offered, and not known: $knows"
	done
	while read -r word; do
		offers "$word " sluice "$command" "$word"
	done < <(sed -n 's/.* knows \(.*\), not .*/\1/p' <<<"$knows" | grep -o '\b[a-z]\{2,\}\b' | grep -vx and)
done
offers '' sluice cursor show li
offers '50 ' sluice runs -n 5 >/dev/null
[ "$failures" = 1 ] || die "a wrong offer goes unnoticed"
failures=0
offers '' sluice runs -n 5
offers 'failed skipped succeeded ' sluice mark run step --state ''
cd ..

echo "# names, with and without a daemon"
printf 'deployment: completion\n' >sluice.yaml
mkdir dags
printf 'dag: orders\nsteps: {a: {task: {plugin: exec, command: ["true"]}}}\n' >dags/orders.yaml
offers '' sluice trigger or
start
offers 'orders ' sluice trigger or
offers 'orders ' sluice runs --dag or
cli 0 trigger orders -o json
run=$(value '.runs[0]')
offers "$run " sluice show "${run:0:8}"
zsh_line() { # zsh_line KEYS: what zsh makes of the line; it completes at a terminal only
	timeout 60 python3 - "$1" <<'E'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp("zsh", ["zsh", "-f", "-i"])
seen = b""
def until(mark):
    global seen
    while mark not in seen:
        seen += os.read(fd, 65536)
    before, seen = seen.split(mark, 1)
    return before
os.write(fd, b"autoload -Uz compinit; compinit -u -D; . ./_sluice; PS1=; echo rea''dy\n")
until(b"ready\r\n")
os.write(fd, sys.argv[1].encode() + b"\x01print -r -- ma''de \r")
until(b"\nmade ")
print(until(b"\r").decode())
os.kill(pid, 9)
E
}
if command -v zsh >/dev/null; then
	zsh_makes() { # zsh_makes KEYS LINE
		local got
		checks=$((checks + 1))
		got=$(zsh_line "$1")
		[ "$got" = "$2" ] || fail "zsh makes \"$got\" of \"$1\", not \"$2\""
	}
	checks=$((checks + 1))
	zsh -n _sluice || fail "zsh finds fault with the syntax"
	zsh_makes $'sluice trigger or\t' 'sluice trigger orders'
	zsh_makes $'sluice runs -o nd\t' 'sluice runs -o ndjson'
	zsh_makes $'sluice rerun --dow\t' 'sluice rerun --downstream'
	zsh_makes $'sluice cursor exp\t' 'sluice cursor export'
	zsh_makes $'sluice help bac\tf\t' 'sluice help backfill'
	zsh_makes $'sluice mark run step --state sk\t' 'sluice mark run step --state skipped'
fi
if command -v fish >/dev/null; then
	fish_offers() { # fish_offers LINE TEXT: what fish offers for it begins so
		checks=$((checks + 1))
		# shellcheck disable=SC2016 # fish's own variable
		HOME=$work fish --no-config -c 'source sluice.fish; complete -C $argv[1]' "$1" >.fish 2>&1
		grep -q -- "^$2" .fish || fail "fish does not offer $2 for \"$1\": $(cat .fish)"
	}
	checks=$((checks + 1))
	fish -n sluice.fish || fail "fish finds fault with the syntax"
	fish_offers 'sluice trigger or' orders
	fish_offers 'sluice runs -o nd' ndjson
	fish_offers 'sluice rerun --dow' --downstream
	fish_offers 'sluice plugin li' list
	fish_offers 'sluice help rer' rerun
	for command in $(help_commands); do
		checks=$((checks + 1))
		# shellcheck disable=SC2016 # fish's own variable
		got=$(HOME=$work fish --no-config -c 'source sluice.fish; complete -C "sluice $argv[1] --"' "$command" 2>&1 | cut -f 1 | sort | tr '\n' ' ')
		[ "$got" = "$(help_options "$command")" ] || fail "of \`$command\` fish offers $got"
	done
fi
cli 0 shutdown
wait "$daemon"
daemon=''
rm -f state/sluice.sock
python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("state/sluice.sock"); s.listen(5); time.sleep(60)' &
hung=$!
until_true "the hung daemon" test -S state/sluice.sock
run 0 "$sluice" completion dags
[ -s "$out" ] || [ -s "$err" ] && fail "completion speaks of a daemon that hangs"
kill "$hung"
rm -f state/sluice.sock
done_with completion
