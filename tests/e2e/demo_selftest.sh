#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Is the truth of ipcspy-demo true? Holds it against arithmetic, against strace
# (where installed) and against itself. Needs no privileges and nothing of ipcspy.
#
#   demo_selftest.sh [IPCSPY-DEMO]	default: build/ipcspy-demo beside this tree
#
# Prints one line per failure and a sum; exit status 1 when anything failed.

set -u
here=$(cd "$(dirname "$0")" && pwd)
demo=${1:-$here/../../build/ipcspy-demo}
[ -x "$demo" ] || {
	echo "demo_selftest: no program at $demo" >&2
	exit 1
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
ran=0 failed=0

ok() { # DESCRIPTION CONDITION...: a test(1) expression
	local what=$1
	shift
	ran=$((ran + 1))
	test "$@" && return
	failed=$((failed + 1))
	echo "FAILED: $what: test $*"
}

# The truth has one list entry per line, so that line tools can read it.
top() { sed -n "s/^ \"$1\":\([0-9]*\),\?\$/\1/p" "$work/truth"; }
planned() { sed -n "s/^ \"planned\":.*\"$1\":\([0-9]*\).*/\1/p" "$work/truth"; }
section() { sed -n "/^ \"$1\":\[/,/\]\(,\|}\)\$/p" "$work/truth" | grep '^  {'; }
# FIELD of every entry of LIST, summed
sum() { section "$1" | sed -n "s/.*[{,]\"$2\":\([0-9]*\).*/\1/p" | awk '{ n += $1 } END { print n + 0 }'; }

run() { # STATUS ARG...
	local want=$1 got
	shift
	rm -f "$work/truth"
	timeout 60 "$demo" "$@" --truth "$work/truth" >"$work/out" 2>"$work/err"
	got=$?
	ok "status of: $*: $(head -c 200 "$work/err")" "$got" = "$want"
	[ "$want" != 0 ] || ok "nothing on stderr: $*: $(head -c 200 "$work/err")" ! -s "$work/err"
}

# Everything sent was received, by every way of counting.
whole() { # MESSAGES BYTES(or "") WHAT
	ok "$3: messages" "$(top messages)" = "$1"
	ok "$3: senders' messages" "$(sum senders messages)" = "$1"
	ok "$3: receivers' messages" "$(sum receivers messages)" = "$1"
	ok "$3: flows' messages" "$(sum flows messages)" = "$1"
	ok "$3: samples" "$(sum flows count)" = "$1"
	ok "$3: sent and received bytes" "$(sum senders bytes)" = "$(sum receivers bytes)"
	ok "$3: flows' bytes" "$(sum flows bytes)" = "$(top bytes)"
	[ -z "$2" ] || ok "$3: bytes" "$(top bytes)" = "$2"
	ok "$3: dropped" "$(sum channels dropped)" = 0
}

near() { # WHAT A B: within 5 % or 2 ms
	local diff=$(($2 > $3 ? $2 - $3 : $3 - $2)) room=$(($3 / 20))
	[ "$room" -gt 2000000 ] || room=2000000
	ok "$1: $2 is not near $3" "$diff" -le "$room"
}

queues="posix-mq sysv-msg"
all="pipe fifo unix-stream unix-seqpacket unix-dgram tcp udp $queues"

for mech in $all; do
	for s in 1 2 8; do
		for r in 1 2 8; do
			run 0 "$mech" --senders $s --receivers $r --messages 300 --size 700
			whole $((s * 300)) $((s * 300 * 700)) "$mech $s x $r"
		done
	done
	run 0 "$mech" --size 32 --messages 500
	whole 500 16000 "$mech, smallest"
	run 0 "$mech" --vary --size 4000 --senders 2 --messages 300 --seed 7
	whole 600 "" "$mech, vary"
	first=$(top bytes)
	run 0 "$mech" --vary --size 4000 --senders 2 --messages 300 --seed 7
	ok "$mech: the same seed gives the same bytes" "$first" = "$(top bytes)"
	run 0 "$mech" --vary --size 4000 --senders 2 --messages 300 --seed 8
	ok "$mech: another seed gives other bytes" "$first" != "$(top bytes)"
	case " $queues " in
	*" $mech "*) large=8192 ;;
	*) large=60000 ;;
	esac
	run 0 "$mech" --size $large --messages 50
	whole 50 $((50 * large)) "$mech, large"
done

for mech in pipe fifo unix-stream tcp; do
	for chunk in 1 33 5000; do
		run 0 "$mech" --chunk $chunk --messages 100 --size 300
		whole 100 30000 "$mech, chunk $chunk"
	done
done
ok "a small chunk takes more calls than messages" "$(run 0 pipe --chunk 50 --messages 10 \
	--size 500; sum receivers calls)" = 101
for mech in unix-stream unix-seqpacket unix-dgram; do
	run 0 "$mech" --abstract --senders 2
	whole 2000 1024000 "$mech, abstract"
	ok "$mech: abstract name" "$(section channels | grep -c '"unix:@ipcspy-demo\.')" -gt 0
done
for mech in unix-stream unix-seqpacket; do
	run 0 "$mech" --socketpair --senders 2 --receivers 3
	whole 2000 1024000 "$mech, socketpair"
done

for options in "posix-mq --priorities 4" "sysv-msg --types 5" "sysv-msg --types 5 --select lowest" \
	"sysv-msg --types 3 --receivers 3 --select exact" \
	"sysv-msg --types 3 --receivers 3 --select except"; do
	# shellcheck disable=SC2086
	run 0 $options --senders 2 --messages 301
	whole 602 308224 "$options"
done
# Its key is made from its pid: see src/demo/msgqueue.c.
"$demo" sysv-msg --rate 10 2>/dev/null &
key=$((0x69700000 + $! * 64 % 0x100000))
sleep 0.3
ok "a queue while it runs" "$(grep -c "^ *$key " /proc/sysvipc/msg)" = 1
kill -TERM $!
wait $! 2>/dev/null
ok "none when it was ended" "$(grep -c "^ *$key " /proc/sysvipc/msg)" = 0

# Blocked time: the scheduler's account and the stamps were found independently.
for mech in pipe fifo unix-stream unix-seqpacket unix-dgram tcp $queues; do
	# TCP has room for some megabytes
	run 0 "$mech" --hold 400ms --size 8000 --messages 3000
	whole 3000 24000000 "$mech, hold"
	ok "$mech: hold blocks the sender" "$(planned send_blocked_ns)" -gt 300000000
	# After the hold it may block again, but not for longer than is left of the run.
	blocked=$(sum senders blocked_ns) least=$(planned send_blocked_ns) left=$(($(top elapsed_ns) - 400000000))
	ok "$mech: as much blocked in send as planned" "$blocked" -ge $((least - 2000000))
	ok "$mech: no more blocked in send than possible" "$blocked" -le $((least + left + 2000000))
done
for mech in $all; do
	run 0 "$mech" --sender-delay 400ms --messages 5
	ok "$mech: the receiver waits" "$(planned recv_blocked_ns)" -gt 390000000
	near "$mech: blocked in receive" "$(planned recv_blocked_ns)" "$(sum receivers blocked_ns)"
done
run 0 pipe --rate 1000 --messages 300
ok "rate sets the pace" "$(top elapsed_ns)" -ge 298000000
ok "rate: latency of an idle channel" \
	"$(section flows | sed 's/.*"latency_ns":{[^}]*"p50":\([0-9]*\).*/\1/')" -lt 1000000

run 0 pipeline --messages 100
whole 200 819200 pipeline
ok "pipeline: the producer loses 5 ms per message that no longer fits" \
	"$(section senders | sed -n 's/.*"produce".*"blocked_ns":\([0-9]*\).*/\1/p')" -gt 400000000

# The children make no other read, write, send or receive than those on the channels.
calls() { # SYSCALL LIST: as strace saw them in the processes of that list
	section "$2" | sed 's/^  {"pid":\([0-9]*\).*/\1/' |
		while read -r pid; do cat "$work/strace.$pid"; done | grep -c "^$1("
}
if command -v strace >/dev/null; then
	for mech in $all; do
		case $mech in
		pipe | fifo) out=write in=read ;;
		posix-mq) out=mq_timedsend in=mq_timedreceive ;;
		sysv-msg) out=msgsnd in=msgrcv ;;
		*) out=sendto in=recvfrom ;;
		esac
		rm -f "$work/truth" "$work"/strace.*
		# LeakSanitizer is no tracer's friend
		ASAN_OPTIONS=detect_leaks=0 strace -ff -qq -e trace=read,write,sendto,recvfrom,$out,$in -e signal=none -o "$work/strace" \
			"$demo" "$mech" --truth "$work/truth" --senders 2 --messages 100
		whole 200 102400 "$mech under strace"
		ok "$mech: strace counts the same sends" "$(calls $out senders)" = "$(sum senders calls)"
		ok "$mech: strace counts the same receives" \
			"$(calls $in receivers)" = "$(sum receivers calls)"
	done
fi

# The stuck ones
stuck_state() { # PID
	sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2>/dev/null
}
for mech in deadlock leak; do
	mkfifo "$work/line"
	"$demo" $mech --truth "$work/truth" >"$work/line" 2>"$work/err" &
	parent=$!
	read -r _ one _ two <"$work/line"
	rm "$work/line"
	ok "$mech: the truth is there when the line is" -s "$work/truth"
	ok "$mech: the second hangs" "$(stuck_state "$two")" = S
	if [ $mech = deadlock ]; then
		ok "deadlock: the first hangs" "$(stuck_state "$one")" = S
		ok "deadlock: who is stuck" "$(section stuck | sed 's/.*"pid":\([0-9]*\).*"operation":"\([a-z]*\)".*\[\([0-9]*\)\].*/\1 \2 \3/' | xargs)" = "$one send $two $two send $one"
		ok "deadlock: both pipes are full" "$(sum senders bytes)" = "$(sum channels capacity)"
	else
		ok "leak: the writer is gone" ! -e "/proc/$one"
		ok "leak: who is stuck" "$(section stuck | sed 's/.*"pid":\([0-9]*\).*"operation":"\([a-z]*\)".*\[\([0-9]*\)\].*/\1 \2 \3/')" = "$two recv $two"
	fi
	kill -TERM $parent
	wait $parent
	ok "$mech: a signal ends it with success" $? = 0
	ok "$mech: nobody is left" ! -e "/proc/$two"
	run 0 $mech --hold 100ms
done

# A parent that is killed takes its children along.
"$demo" pipe --sender-delay 1m >/dev/null 2>&1 &
parent=$!
sleep 0.3
children=$(cat /proc/$parent/task/$parent/children)
ok "there are two children" "$(echo "$children" | wc -w)" = 2
disown $parent # or the shell tells of its death
kill -KILL $parent
sleep 0.2
for pid in $children; do
	ok "child $pid goes with its parent" "$(stuck_state "$pid" | tr -d Z)" = ""
done

# A child that is killed, and interruption, are errors that leave nothing behind.
for victim in child parent; do
	"$demo" fifo --sender-delay 1m --truth "$work/none" >/dev/null 2>"$work/err" &
	parent=$!
	sleep 0.3
	if [ $victim = child ]; then
		kill -KILL "$(awk '{ print $1 }' /proc/$parent/task/$parent/children)"
	else
		kill -TERM $parent # a background job of a script ignores SIGINT
	fi
	wait $parent
	ok "$victim killed: status" $? = 1
	ok "$victim killed: one line" "$(wc -l <"$work/err")" = 1
	ok "$victim killed: no truth" "$(find "$work" -name 'none*')" = ""
done

# Usage
usage() {
	"$demo" "$@" >"$work/out" 2>"$work/err"
	ok "usage error: $*" $? = 2
	ok "one line for: $*" "$(wc -l <"$work/err")" = 1
	ok "nothing on stdout for: $*" ! -s "$work/out"
}
usage
usage nonesuch
usage $'bad\nname'
usage pipe extra
usage pipe --nonesuch
usage pipe --messages
usage pipe --messages 0
usage pipe --messages -1
usage pipe --messages 1x
usage pipe --messages 99999999999999999999999
usage pipe --size 31
usage pipe --size 5000 --senders 2
usage pipe --size 5000 --receivers 2
usage pipe --vary --receivers 2
usage pipe --chunk 10 --receivers 2
usage pipe --hold 5
usage pipe --hold 5h
usage pipe --hold 99999999999s
usage pipe --abstract
usage pipe --truth ''
usage udp --size 65508
usage unix-dgram --size 1000000
usage unix-seqpacket --size 1000000
usage posix-mq --size 8193
usage posix-mq --types 2
usage sysv-msg --size 8193
usage sysv-msg --select some
usage sysv-msg --select exact --types 2
usage sysv-msg --select except --types 2
usage deadlock --messages 5
"$demo" pipe --truth /nonexistent/file 2>"$work/err"
ok "unwritable truth" $? = 1
"$demo" pipe --truth /dev/full 2>"$work/err"
ok "truth on a full device" $? = 1
"$demo" --help >/dev/full 2>"$work/err"
ok "help on a full device" $? = 1
"$demo" --help >"$work/out"
ok "help" $? = 0
ok "help names every workload" "$(grep -cE '^  [a-z]' "$work/out")" = \
	"$(grep -cE '^\s+ROW\(' "$here/../../src/demo/demo.h")"
ok "version" "$("$demo" --version)" '!=' ""
"$demo" pipe --truth - >"$work/truth"
whole 1000 512000 "truth on stdout"

ok "no file is left: $(ls "$TMPDIR")" "$(find "$TMPDIR" -mindepth 1 | wc -l)" = 0

echo "demo_selftest: $ran checks, $failed failed"
[ $failed = 0 ]
