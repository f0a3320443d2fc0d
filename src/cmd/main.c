// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <locale.h>
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
	fill_closed_streams();
	/* Only for what the terminal can show: numbers and parsing stay as they are. */
	setlocale(LC_CTYPE, "");
	signals_ignore_write();
	return cmd_main(argc, argv);
}
