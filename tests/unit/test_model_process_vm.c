// SPDX-License-Identifier: BSD-2-Clause
/* Memory of other processes: one record is the whole message; who did nothing is named as well. */
#include "feed.h"

#include <errno.h>
#include <string.h>

#define GDB    10
#define VICTIM 20
#define ID     7

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, GDB, "gdb");
	feed_proc_start(&f, VICTIM, "victim", T0 - MS);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void vm_obj(struct feed *f, uint64_t id, uint32_t pid, uint64_t start_ns)
{
	struct ev_obj o = obj_make(MECH_PROCESS_VM, id, T0);

	o.capacity = 0;
	o.vals[0] = pid;
	o.vals[1] = start_ns;
	feed_obj(f, &o);
}

static void vm_op(struct feed *f, enum ipcspy_op kind, uint64_t id, uint64_t at_ns, int ret,
		  bool control, uint64_t asked)
{
	struct ev_op op = op_make(MECH_PROCESS_VM, kind, id, GDB, at_ns, at_ns + 10, ret);

	feed_op_vals(f, &op, control, asked);
}

static void test_both_ways(void **state)
{
	struct feed *f = *state;
	struct flow *out, *into;
	struct chan *c;

	vm_obj(f, ID, VICTIM, T0 - MS);
	vm_op(f, OP_RECV, ID, T0 + 100, 4096, false, 4096);
	vm_op(f, OP_RECV, ID, T0 + 200, 100, false, 4096);
	vm_op(f, OP_SEND, ID, T0 + 300, 8, false, 8);
	vm_op(f, OP_RECV, ID, T0 + 400, -EFAULT, false, 8);
	c = feed_chan(f, 0);
	assert_string_equal(c->name, "process-vm:20");
	out = feed_flow(f, c, VICTIM, GDB);
	into = feed_flow(f, c, GDB, VICTIM);
	assert_true(out->messages == 2 && out->bytes == 4196 && out->latency.count == 0);
	assert_true(into->messages == 1 && into->bytes == 8);
	assert_true(out->paired[PAIR_EXACT] == 2);
	assert_true(feed_ep(c, GDB, EP_RECV)->calls == 3 && feed_ep(c, GDB, EP_RECV)->errors == 1);
	assert_true(feed_ep(c, VICTIM, EP_SEND)->calls == 0);
	/* who does nothing does not converse */
	assert_null(list_first(model_conversations(f->m), struct conversation, in_model));
}

static void count_facts(void *arg, const struct fact *x)
{
	uint64_t *v = arg;

	if (!strcmp(x->name, "control_calls"))
		v[0] = x->value;
	if (!strcmp(x->name, "partial_calls"))
		v[1] = x->value;
}

static void test_control(void **state)
{
	struct feed *f = *state;
	uint64_t facts[2] = {0, 0};

	vm_obj(f, ID, VICTIM, T0 - MS);
	vm_op(f, OP_SEND, ID, T0 + 100, 0, true, 0);
	vm_op(f, OP_RECV, ID, T0 + 200, 0, true, 0);
	vm_op(f, OP_RECV, ID, T0 + 300, 5, false, 6);
	model_facts(f->m, feed_chan(f, 0), count_facts, facts);
	assert_true(facts[0] == 2 && facts[1] == 1);
	assert_null(feed_flow(f, NULL, GDB, VICTIM));
	assert_true(feed_ep(feed_chan(f, 0), GDB, EP_SEND)->calls == 1);
}

/* Its pid is another's by now: that one was not reached into. */
static void test_pid_reused(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	vm_obj(f, ID, VICTIM, T0 - MS);
	feed_proc_start(f, VICTIM, "another", T0 + 50);
	vm_op(f, OP_RECV, ID, T0 + 100, 16, false, 16);
	assert_null(feed_flow(f, NULL, VICTIM, GDB));
	fl = list_first(&feed_chan(f, 0)->flows, struct flow, in_chan);
	assert_true(!fl->src.proc && fl->dst.proc->pid == GDB && fl->bytes == 16);
}

static void test_ends_with_its_process(void **state)
{
	struct feed *f = *state;

	vm_obj(f, ID, VICTIM, T0 - MS);
	vm_op(f, OP_RECV, ID, T0 + 100, 16, false, 16);
	feed_snap(f, SNAPF_HOLDS, T0 + 200);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + 200);
	assert_true(feed_chan(f, 0)->open); /* no descriptor holds it */
	feed_exit(f, VICTIM, T0 + 300);
	assert_false(feed_chan(f, 0)->open);
}

static void test_nobody(void **state)
{
	struct feed *f = *state;

	vm_obj(f, ID, 0, 0);
	vm_op(f, OP_RECV, ID, T0 + 100, -ESRCH, false, 16);
	assert_string_equal(feed_chan(f, 0)->name, "process-vm:?");
	assert_true(feed_ep(feed_chan(f, 0), GDB, EP_RECV)->errors == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_control, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pid_reused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_with_its_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
	};

	return cmocka_run_group_tests_name("model: process-vm", tests, NULL, NULL);
}
