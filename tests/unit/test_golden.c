// SPDX-License-Identifier: BSD-2-Clause
/*
 * Scenes through the model to each output, held against the files in
 * tests/golden. UPDATE=1 writes those anew: look at the difference before it is
 * committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/blame.h"
#include "export/messages.h"
#include "feed.h"
#include "golden_file.h"
#include "golden_scene.h"
#include "view/report_text.h"

/* A scene that was played, with its message lines. */
struct played {
	struct player player;
	struct sink text, json;
	struct report_info info;
};

static void on_message(void *arg, const struct message *msg)
{
	struct played *pl = arg;

	assert_int_equal(message_text(&pl->text, msg, SCENE_START_NS, 0, false), 0);
	assert_int_equal(message_jsonl(&pl->json, msg, SCENE_START_NS), 0);
}

static void play(struct played *pl, const struct scene *s)
{
	struct model_opts opts = {
		.start_ns = SCENE_START_NS, .on_message = on_message, .on_message_arg = pl};

	*pl = (struct played){0};
	opts.on_blocked_arg = pl->info.blame = blame_new();
	opts.on_blocked = blame_on_blocked;
	opts.on_fold = blame_on_fold;
	assert_non_null(opts.on_blocked_arg);
	sink_init_mem(&pl->text);
	sink_init_mem(&pl->json);
	assert_int_equal(message_text_head(&pl->text, 0, false), 0);
	pl->player.model = model_new(&opts);
	assert_non_null(pl->player.model);
	s->play(&pl->player);
	assert_int_equal(model_finish(pl->player.model, SCENE_START_NS + s->duration_us * 1000), 0);
	pl->info = (struct report_info){
		.blame = opts.on_blocked_arg,
		.host = "example",
		.kernel = "6.1.0-test",
		.arch = "x86_64",
		.filter = s->filter,
		.chosen_by = strncmp(s->filter, "-n ", 3) ? NULL : s->filter + 3,
		.start_realtime_ns = 1700000000000000000,
		.duration_ns = s->duration_us * 1000,
		.events = pl->player.events,
		.argv = s->argv,
		.command_pid = s->command_pid,
		.command_ended = s->argv != NULL,
		.command_status = s->command_status,
	};
}

static void played_fini(struct played *pl)
{
	model_free(pl->player.model);
	blame_free(pl->info.blame);
	sink_fini(&pl->text);
	sink_fini(&pl->json);
}

static void as_text(const struct played *pl, const char *name, const char *suffix,
		    struct text_opts opts)
{
	struct sink out;

	sink_init_mem(&out);
	assert_int_equal(report_text(&out, &opts, &pl->info, pl->player.model), 0);
	golden_compare(name, suffix, &out.buf);
	sink_fini(&out);
}

static void text_reports(void **state)
{
	struct played pl;

	(void)state;
	for (const struct scene *s = scenes; s->name; s++) {
		play(&pl, s);
		as_text(&pl, s->name, ".txt",
			(struct text_opts){.style = {.width = 100}, .max_rows = 100});
		played_fini(&pl);
	}
}

static void text_reports_in_other_shapes(void **state)
{
	struct played pl;

	(void)state;
	play(&pl, &scenes[0]);
	as_text(&pl, "pipeline", "-wide.txt", (struct text_opts){.style = {.width = 200}});
	as_text(&pl, "pipeline", "-colour.txt",
		(struct text_opts){.style = {.width = 80, .colour = true}});
	as_text(&pl, "pipeline", "-ascii.txt",
		(struct text_opts){.style = {.width = 60, .ascii = true}, .max_rows = 1});
	played_fini(&pl);
}

static void json_reports(void **state)
{
	struct played pl;
	struct sink out;
	struct json j;

	(void)state;
	for (const struct scene *s = scenes; s->name; s++) {
		play(&pl, s);
		sink_init_mem(&out);
		json_init(&j, &out, 2);
		assert_int_equal(report_json(&j, NULL, &pl.info, pl.player.model), 0);
		assert_int_equal(json_finish(&j), 0);
		golden_compare(s->name, ".json", &out.buf);
		sink_fini(&out);
		played_fini(&pl);
	}
}

static void message_lines(void **state)
{
	struct played pl;

	(void)state;
	for (const struct scene *s = scenes; s->name; s++) {
		play(&pl, s);
		golden_compare(s->name, "-messages.txt", &pl.text.buf);
		golden_compare(s->name, ".jsonl", &pl.json.buf);
		played_fini(&pl);
	}
}

/* Whatever a process calls itself: no control byte but the ends of lines, in any output. */
static void no_output_takes_orders(void **state)
{
	struct played pl;
	struct sink out;
	struct json j;

	(void)state;
	for (const struct scene *s = scenes; s->name; s++) {
		play(&pl, s);
		sink_init_mem(&out);
		json_init(&j, &out, 0);
		assert_int_equal(report_json(&j, NULL, &pl.info, pl.player.model), 0);
		assert_int_equal(json_finish(&j), 0);
		/* compact: the one newline is the last byte */
		assert_ptr_equal(strchr(out.buf.s, '\n'), out.buf.s + out.buf.len - 1);
		assert_int_equal(report_text(&out, &(struct text_opts){.style = {.width = 100}},
					     &pl.info, pl.player.model),
				 0);
		strbuf_put(&out.buf, pl.text.buf.s, pl.text.buf.len);
		strbuf_put(&out.buf, pl.json.buf.s, pl.json.buf.len);
		for (size_t i = 0; i < out.buf.len; i++) {
			unsigned char c = (unsigned char)out.buf.s[i];

			assert_true((c >= 0x20 && c != 0x7f) || c == '\n');
			assert_false(c == 0xc2 && (unsigned char)out.buf.s[i + 1] < 0xa0);
		}
		sink_fini(&out);
		played_fini(&pl);
	}
}

static void loss_is_told(void **state)
{
	struct played pl;

	(void)state;
	for (const struct scene *s = scenes; s->name; s++) {
		play(&pl, s);
		assert_int_equal(report_has_loss(pl.player.model), !strcmp(s->name, "loss"));
		played_fini(&pl);
	}
}

/* Any one of them makes the numbers less than whole, and the report says how many. */
static void each_loss_alone_is_told(void **state)
{
	static const struct {
		uint32_t flags;
		const char *says;
	} losses[] = {
		{LOSSF_EVENTS, "Lost: 7 events (pipe 7)."},
		{LOSSF_TABLE, "want of room in a table: 7."},
		{LOSSF_COMPAT, "32-bit programs, not decoded: 7."},
		{LOSSF_URING, "io_uring requests on channels, not followed: 7."},
	};
	const struct report_info info = {.filter = "", .kernel = "", .arch = "", .host = ""};
	const struct text_opts opts = {.style = {.width = 100}};
	struct sink out;
	struct feed f;

	(void)state;
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		feed_init(&f);
		sink_init_mem(&out);
		assert_false(report_has_loss(f.m));
		feed_loss(&f, losses[i].flags, MECH_PIPE, 0, 7);
		assert_true(report_has_loss(f.m));
		assert_int_equal(report_text(&out, &opts, &info, f.m), 0);
		assert_non_null(strstr(out.buf.s, losses[i].says));
		sink_fini(&out);
		feed_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_reports),
		cmocka_unit_test(text_reports_in_other_shapes),
		cmocka_unit_test(json_reports),
		cmocka_unit_test(message_lines),
		cmocka_unit_test(no_output_takes_orders),
		cmocka_unit_test(loss_is_told),
		cmocka_unit_test(each_loss_alone_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
