// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/signals.h"

/*
 * A closed standard stream would be the next file that is opened, and get what
 * is meant for the user. Read-only: writing to it fails, as to a closed one.
 */
static void fill_closed_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct verb *v = verbs;

	fill_closed_streams();
	/* Only for what the terminal can show: numbers and parsing stay as they are. */
	setlocale(LC_CTYPE, "");
	signals_ignore_write();
	while (argc > 1 && v->run && !(v->name && !strcmp(v->name, argv[1])))
		v++;
	if (argc > 1 && v->run)
		return v->run(argc - 1, argv + 1);
	return verbs[0].run(argc, argv);
}
