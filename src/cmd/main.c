// SPDX-License-Identifier: BSD-2-Clause
#include <locale.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/signals.h"

int main(int argc, char **argv)
{
	const struct verb *v = verbs;

	/* Only for what the terminal can show: numbers and parsing stay as they are. */
	setlocale(LC_CTYPE, "");
	signals_ignore_pipe();
	while (argc > 1 && v->run && !(v->name && !strcmp(v->name, argv[1])))
		v++;
	if (argc > 1 && v->run)
		return v->run(argc - 1, argv + 1);
	return verbs[0].run(argc, argv);
}
