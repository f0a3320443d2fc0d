// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/privileges.h"
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

static int no_privileges(int err)
{
	if (err == -EPERM)
		cmd_error("not made for the set-user-ID bit; see PRIVILEGES in ipcspy(8)");
	else
		cmd_error("cannot give up capabilities: %s", strerror(-err));
	return EXIT_ERROR;
}

int main(int argc, char **argv)
{
	int err;

	fill_closed_streams();
	err = privileges_limit();
	if (err)
		return no_privileges(err);
	/* Only for what the terminal can show: numbers and parsing stay as they are. */
	setlocale(LC_CTYPE, "");
	signals_ignore_write();
	return cmd_main(argc, argv);
}
