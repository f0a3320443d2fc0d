# SPDX-License-Identifier: BSD-2-Clause
# Bash completion for ipcspy: source it, or copy it to
# /usr/share/bash-completion/completions/ipcspy

_ipcspy_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# The last name of a list with commas, completed behind those before it, none of them twice.
_ipcspy_list()
{
	local before="" left="" word

	[[ $2 == *,* ]] && before="${2%,*},"
	for word in $1; do
		[[ ,$before == *,$word,* ]] || left+="$word "
	done
	_ipcspy_words "$left" "${2##*,}"
	COMPREPLY=("${COMPREPLY[@]/#/$before}")
}

_ipcspy()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb="" i
	local mechanisms="pipe fifo unix-stream unix-dgram unix-seqpacket tcp udp \
posix-mq sysv-msg sysv-sem sysv-shm shm futex futex-private eventfd signal pty process-vm"
	local filter="--pid --follow --name --cgroup --all --mechanism --no-peers --duration --interval --payload --force"
	local show="--messages --format --output --verbose --help --version"

	COMPREPLY=()
	# "--format=json" comes as three words.
	if [[ $cur == = ]]; then
		cur=""
	elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			# Behind --: a command and whatever it completes.
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			else
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			fi
			return
		fi
	done
	[[ ${COMP_WORDS[1]} == @(doctor|export|help|record|report|why) ]] && ((COMP_CWORD > 1)) && verb=${COMP_WORDS[1]}

	case $prev in
	-p | --pid)
		_ipcspy_list "$(cd /proc && echo [0-9]*)" "$cur"
		return
		;;
	-n | --name)
		_ipcspy_words "$(cat /proc/[0-9]*/comm 2>/dev/null | tr -c 'a-zA-Z0-9_.\n-' '?' |
			sort -u)" "$cur"
		return
		;;
	-c | --cgroup)
		_ipcspy_words "$(sed -n 's/^0::\/\?//p' /proc/[0-9]*/cgroup 2>/dev/null | sort -u)" "$cur"
		return
		;;
	-m | --mechanism)
		_ipcspy_list "$mechanisms" "$cur"
		compopt -o nospace 2>/dev/null
		return
		;;
	--format)
		_ipcspy_words "text json $([[ $verb == @(doctor|why) ]] || echo jsonl)" "$cur"
		return
		;;
	--to)
		_ipcspy_words "perfetto jsonl csv sqlite folded dot pcapng" "$cur"
		return
		;;
	-o | --output | --record)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--on-finding)
		_ipcspy_words "info warning critical" "$cur"
		return
		;;
	-d | --duration | -i | --interval | --max-size | --max-files | --ring | --payload)
		return
		;;
	esac

	case $verb in
	doctor) _ipcspy_words "--format --help --version" "$cur" ;;
	help) _ipcspy_words "doctor export help record report why --help --version" "$cur" ;;
	record)
		_ipcspy_words "$filter --output --max-size --max-files --ring --on-finding --verbose \
--help --version --" "$cur"
		;;
	export)
		_ipcspy_words "$([[ $cur == -* ]] && echo --to --output --force --help --version)" "$cur"
		[[ $cur == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	report)
		_ipcspy_words "$([[ $cur == -* ]] && echo "$show")" "$cur"
		[[ $cur == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	why)
		_ipcspy_words "--all --format --watch --help --version $(cd /proc && echo [0-9]*)" "$cur"
		;;
	*)
		if ((COMP_CWORD == 1)) && [[ $cur != -* ]]; then
			_ipcspy_words "doctor export help record report why" "$cur"
		else
			_ipcspy_words "$filter --record $show --" "$cur"
		fi
		;;
	esac
}

complete -F _ipcspy ipcspy
