/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recorder.h - makes a recording of a session that it observes.
 *
 * Owns files and writer. A single file takes its place once what is traced is there; when it
 * never is, nothing is left behind. Files of a row, and those that a ring is written
 * to, are FILE.000001 and so on, behind those that exist; of more than are wanted the
 * oldest are removed.
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
	bool started;
	char *name;            /* of the file of a row that is open, or was last */
	unsigned int number;   /* ... and its number; 0: none yet */
	unsigned int first;    /* the first one of ours */
	struct alarms *alarms; /* findings that were told, NULL: nobody asks for them */
};

/* Returns 0 or -errno of newfile_open(). recorder_close() is due in each case. */
int recorder_open(struct recorder *rec, const struct opts *o);

/* Writes all it was given; behind it, what was observed may go. */
void recorder_stop(struct recorder *rec);

/* Returns 0 or -errno of closing the file. */
int recorder_close(struct recorder *rec);

#endif
