// SPDX-License-Identifier: BSD-2-Clause
/* doctor - what this kernel and these privileges give, and what they deny. */
#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/opts.h"
#include "cmd/output.h"
#include "probe/probe.h"
#include "view/table.h"

#define FEATURES_MAX 64

struct checkup {
	struct probe_feature rows[FEATURES_MAX];
	size_t cnt;
	bool ok; /* all that is required is there */
	struct utsname host;
	struct text_style style;
};

static enum style cell_name(struct strbuf *cell, const void *row, const void *arg)
{
	const struct checkup *c = arg;

	text_put(cell, &c->style, ((const struct probe_feature *)row)->name);
	return STYLE_NONE;
}

static enum style cell_need(struct strbuf *cell, const void *row, const void *arg)
{
	const struct probe_feature *f = row;

	(void)arg;
	strbuf_puts(cell, f->need == NEED_REQUIRED ? "required" : "optional");
	return STYLE_NONE;
}

static enum style cell_state(struct strbuf *cell, const void *row, const void *arg)
{
	const struct probe_feature *f = row;

	(void)arg;
	strbuf_puts(cell, f->ok ? "ok" : "missing");
	return f->ok ? STYLE_GOOD : f->need == NEED_REQUIRED ? STYLE_BAD : STYLE_WARN;
}

static enum style cell_detail(struct strbuf *cell, const void *row, const void *arg)
{
	const struct checkup *c = arg;

	text_put(cell, &c->style, ((const struct probe_feature *)row)->detail);
	return STYLE_NONE;
}

static int put_text(struct sink *out, const struct checkup *c)
{
	static const struct column cols[] = {
		{"FEATURE", ALIGN_LEFT, 0, false, cell_name},
		{"NEED", ALIGN_LEFT, 0, false, cell_need},
		{"STATE", ALIGN_LEFT, 0, false, cell_state},
		{"DETAIL", ALIGN_LEFT, 0, false, cell_detail},
	};
	const void *rows[FEATURES_MAX];
	int err;

	for (size_t i = 0; i < c->cnt; i++)
		rows[i] = &c->rows[i];
	strbuf_printf(sink_buf(out), "ipcspy " IPCSPY_VERSION " on Linux %s %s\n\n",
		      c->host.release, c->host.machine);
	err = table_print(out, &c->style, cols, sizeof(cols) / sizeof(cols[0]), rows, c->cnt, c);
	strbuf_puts(sink_buf(out), c->ok ? "\nEverything that is required is here.\n"
					 : "\nSomething that is required is missing.\n");
	return err;
}

static int put_json(struct sink *out, const struct checkup *c)
{
	struct json j;

	json_init(&j, out, 2);
	json_object(&j, NULL);
	json_u64(&j, "schema", 1);
	json_str(&j, "ipcspy", IPCSPY_VERSION);
	json_str(&j, "kernel", c->host.release);
	json_str(&j, "arch", c->host.machine);
	json_bool(&j, "ok", c->ok);
	json_array(&j, "features");
	for (size_t i = 0; i < c->cnt; i++) {
		json_object(&j, NULL);
		json_str(&j, "name", c->rows[i].name);
		json_bool(&j, "required", c->rows[i].need == NEED_REQUIRED);
		json_bool(&j, "ok", c->rows[i].ok);
		json_str(&j, "detail", c->rows[i].detail);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}

int cmd_doctor(const struct opts *o)
{
	struct checkup c = {.ok = true};
	struct sink out;
	int err;

	sink_init_fd(&out, STDOUT_FILENO);
	uname(&c.host);
	/* Sentences are not cut: a line longer than the terminal wraps. */
	c.style.width = TEXT_WIDTH_ENDLESS;
	c.style.colour = output_wants_colour(STDOUT_FILENO);
	c.style.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	c.cnt = probe_features(c.rows, FEATURES_MAX);
	if (c.cnt > FEATURES_MAX)
		c.cnt = FEATURES_MAX;
	for (size_t i = 0; i < c.cnt; i++)
		c.ok &= c.rows[i].ok || c.rows[i].need != NEED_REQUIRED;
	err = o->format == FORMAT_JSON ? put_json(&out, &c) : put_text(&out, &c);
	if (!err)
		err = sink_flush(&out);
	sink_fini(&out);
	if (err && err != -EPIPE) {
		cmd_error("cannot write to stdout: %s", strerror(-err));
		return EXIT_ERROR;
	}
	return c.ok ? EXIT_WHOLE : EXIT_ERROR;
}
