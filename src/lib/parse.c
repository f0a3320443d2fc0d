// SPDX-License-Identifier: BSD-2-Clause
#include "lib/parse.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_PER_SEC 1000000000ull
#define SECONDS_MAX  1000000000ull

/* Digits at s (at least one, at most len) as a number; the end of them in *end. */
static int digits(const char *s, const char **end, uint64_t *out)
{
	uint64_t v = 0;
	const char *p;

	for (p = s; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	}
	if (p == s)
		return -EINVAL;
	*end = p;
	*out = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t v;
	int err;

	err = digits(s, &end, &v);
	if (err)
		return err;
	if (*end)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

/* Digits behind a decimal point, in units of 10^-9; the end of them in *end. */
static int fraction(const char *s, const char **end, uint64_t *out)
{
	uint64_t scale = NSEC_PER_SEC, v = 0;
	const char *p;

	for (p = s; *p >= '0' && *p <= '9'; p++) {
		scale /= 10; /* 0 below 10^-9: those digits say nothing */
		v += scale * (uint64_t)(*p - '0');
	}
	if (p == s)
		return -EINVAL;
	*end = p;
	*out = v;
	return 0;
}

static uint64_t unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"", NSEC_PER_SEC}, {"s", NSEC_PER_SEC}, {"ms", 1000000},
		     {"us", 1000},       {"ns", 1},           {"m", 60 * NSEC_PER_SEC}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ns;
	return 0;
}

int parse_duration(const char *s, uint64_t *out_ns)
{
	uint64_t whole = 0, frac = 0, unit, ns;
	const char *p = s;
	int err = 0;

	if (*p != '.')
		err = digits(s, &p, &whole);
	if (!err && *p == '.')
		err = fraction(p + 1, &p, &frac);
	if (err)
		return err;
	unit = unit_ns(p);
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &ns))
		return -ERANGE;
	/* the longest unit is a minute: no overflow */
	ns += unit > NSEC_PER_SEC ? frac * (unit / NSEC_PER_SEC) : frac * unit / NSEC_PER_SEC;
	if (!ns || ns >= SECONDS_MAX * NSEC_PER_SEC)
		return -ERANGE;
	*out_ns = ns;
	return 0;
}

static int add_pid(pid_t **pids, size_t *cnt, pid_t pid)
{
	pid_t *more;

	for (size_t i = 0; i < *cnt; i++) {
		if ((*pids)[i] == pid)
			return 0;
	}
	more = reallocarray(*pids, *cnt + 1, sizeof(**pids));
	if (!more)
		return -ENOMEM;
	more[(*cnt)++] = pid;
	*pids = more;
	return 0;
}

int parse_pids(const char *s, pid_t **pids, size_t *cnt)
{
	size_t before = *cnt;
	const char *end;
	uint64_t v;
	int err;

	for (;; s = end + 1) {
		err = digits(s, &end, &v);
		if (!err && *end && *end != ',')
			err = -EINVAL;
		if (!err && (v < 1 || v > INT_MAX))
			err = -ERANGE;
		if (!err)
			err = add_pid(pids, cnt, (pid_t)v);
		if (err) {
			*cnt = before;
			return err;
		}
		if (!*end)
			return 0;
	}
}

int parse_name_mask(const char *s, unsigned int (*number)(const char *name, unsigned int len),
		    uint32_t *mask, const char **bad, size_t *bad_len)
{
	uint32_t bits = 0;

	for (;;) {
		size_t len = strcspn(s, ",");
		unsigned int nr = len && len < UINT_MAX ? number(s, (unsigned int)len) : 0;

		if (nr < 1 || nr > 31) {
			*bad = s;
			*bad_len = len;
			return -EINVAL;
		}
		bits |= 1u << nr;
		if (!s[len])
			break;
		s += len + 1;
	}
	*mask |= bits;
	return 0;
}

int parse_bytes(const char *s, uint64_t *out_bytes)
{
	static const char units[] = "KMGT";
	char digits[24];
	size_t len = strlen(s);
	const char *unit = len ? strchr(units, s[len - 1]) : NULL;
	unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	uint64_t v;
	int err;

	len -= unit ? 1 : 0;
	if (len >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, s, len);
	digits[len] = '\0';
	err = parse_u64(digits, 1, ((1ull << 60) - 1) >> shift, &v);
	if (!err)
		*out_bytes = v << shift;
	return err;
}
