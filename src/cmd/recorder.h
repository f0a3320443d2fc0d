/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recorder.h - makes a recording of a session that it observes.
 *
 * Owns the file and the writer. The file takes its place once what is traced is there; when it
 * never is, nothing is left behind.
 */
#ifndef IPCSPY_RECORDER_H
#define IPCSPY_RECORDER_H

#include "cmd/session.h"
#include "lib/newfile.h"
#include "store/writer.h"

struct recorder {
	struct session_observer observer;
	const struct opts *opts;
	struct newfile file; /* not open when the recording goes to standard output */
	struct rec_meta meta;
	struct rec_writer *writer;
};

/* Returns 0 or -errno of newfile_open(). recorder_close() is due in each case. */
int recorder_open(struct recorder *rec, const struct opts *o);

/* Returns 0 or -errno of closing the file. */
int recorder_close(struct recorder *rec);

#endif
