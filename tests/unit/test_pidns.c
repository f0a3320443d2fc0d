// SPDX-License-Identifier: BSD-2-Clause
/* The caller's pids in place of the machine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipcspy/look.h"
#include "probe/pidns.h"

/* 100 is 1 there, 101 is 2; 102 is outside. */
static const __u32 numbers[200] = {[100] = 1, [101] = 2};
static const struct pidns ns = {.numbers = numbers, .cnt = 200};

static struct ev_hdr hdr(__u16 kind, size_t len)
{
	return (struct ev_hdr){.kind = kind, .len = (__u16)len, .pid = 100, .tid = 101};
}

static void headers(void **state)
{
	struct ev_exit e = {.hdr = hdr(EV_EXIT, sizeof(e)), .code = 100};
	struct ev_snap none = {.hdr = {.kind = EV_SNAP, .len = sizeof(none)}};

	(void)state;
	pidns_translate(&ns, &e.hdr);
	assert_int_equal(e.hdr.pid, 1);
	assert_int_equal(e.hdr.tid, 2);
	assert_int_equal(e.code, 100);
	pidns_translate(&ns, &none.hdr);
	assert_int_equal(none.hdr.pid, 0);
}

static void whoever_is_outside(void **state)
{
	struct ev_proc e = {.hdr = hdr(EV_PROC, sizeof(e)), .ppid = 102, .ns_pid = 100};
	struct ev_pass far = {.hdr = hdr(EV_PASS, sizeof(far)), .from = 4000000};

	(void)state;
	pidns_translate(&ns, &e.hdr);
	assert_int_equal(e.ppid, 102 | PID_OUTSIDE);
	assert_int_equal(e.ns_pid, 100);
	pidns_translate(&ns, &far.hdr);
	assert_int_equal(far.from, 4000000 | PID_OUTSIDE);
}

struct op_vals {
	struct ev_op op;
	struct ev_vals vals;
};

static struct op_vals op_with(__u8 mech, __u32 flags, __u64 v1)
{
	struct op_vals e = {.op = {.hdr = hdr(EV_OP, sizeof(e)), .mech = mech, .waker_tid = 101},
			    .vals = {.v = {100, v1}}};

	e.op.hdr.flags = flags;
	pidns_translate(&ns, &e.op.hdr);
	assert_int_equal(e.op.waker_tid, 2);
	assert_int_equal(e.vals.v[0], 100);
	return e;
}

static void values_of_operations(void **state)
{
	const __u64 high = 7ull << 48;

	(void)state;
	assert_int_equal(op_with(MECH_SIGNAL, OPF_VALS, high | 100).vals.v[1], high | 1);
	assert_int_equal(op_with(MECH_FUTEX, OPF_VALS, high | 101).vals.v[1], high | 2);
	assert_int_equal(op_with(MECH_SYSV_SEM, OPF_VALS, high).vals.v[1], high);
	assert_int_equal(op_with(MECH_POSIX_MQ, OPF_VALS, 100).vals.v[1], 100);
	assert_int_equal(op_with(MECH_SIGNAL, 0, 100).vals.v[1], 100);
}

static void objects(void **state)
{
	struct ev_obj sig = {.hdr = hdr(EV_OBJ, sizeof(sig)), .ino = 100, .mech = MECH_SIGNAL};
	struct ev_obj pipe = {.hdr = hdr(EV_OBJ, sizeof(pipe)), .ino = 100, .mech = MECH_PIPE};
	struct ev_obj vm = {
		.hdr = hdr(EV_OBJ, sizeof(vm)), .vals = {101, 100}, .mech = MECH_PROCESS_VM};

	(void)state;
	pidns_translate(&ns, &sig.hdr);
	assert_int_equal(sig.ino, 100); /* nobody has it: the sender gave it */
	sig.vals[1] = 1;
	pidns_translate(&ns, &sig.hdr);
	assert_int_equal(sig.ino, 1);
	pidns_translate(&ns, &pipe.hdr);
	assert_int_equal(pipe.ino, 100);
	pidns_translate(&ns, &vm.hdr);
	assert_int_equal(vm.vals[0], 2);
	assert_int_equal(vm.vals[1], 100);
}

static void what_tasks_do(void **state)
{
	struct look_task l = {.task = {.hdr = hdr(LOOK_TASK, sizeof(l))},
			      .args = {100, 101},
			      .tracer = 100,
			      .child = 101};
	struct ev_inflight e = {.hdr = hdr(EV_INFLIGHT, sizeof(e)), .owner_pid = 101};

	(void)state;
	pidns_translate(&ns, &l.task.hdr);
	assert_int_equal(l.task.hdr.tid, 2);
	assert_int_equal(l.tracer, 1);
	assert_int_equal(l.child, 2);
	assert_int_equal(l.args[0], 100);
	pidns_translate(&ns, &e.hdr);
	assert_int_equal(e.owner_pid, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(whoever_is_outside),
		cmocka_unit_test(values_of_operations),
		cmocka_unit_test(objects),
		cmocka_unit_test(what_tasks_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
