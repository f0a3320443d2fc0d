/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * knot.h - who can go on when each needs any one of its helpers.
 *
 * A directed graph of numbered nodes. A node can go on when it is free, or when at
 * least one of the nodes that it has an edge to can: the least such set. A node that is late
 * can, too, but leads to a helper that can if there is one. What remains
 * is stuck, and each way on from a stuck node ends in a knot: nodes that reach each
 * other and nothing else, or a single one without edges. Knows nothing of what nodes
 * mean. Owns its vectors; knot_fini() frees them, after a failure, too.
 */
#ifndef IPCSPY_ANALYSIS_KNOT_H
#define IPCSPY_ANALYSIS_KNOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KNOT_NONE UINT32_MAX

struct knot_node {
	bool free;      /* goes on by itself */
	bool late;      /* goes on by itself where none of its helpers can */
	bool can;       /* result: can go on */
	uint32_t next;  /* result: the helper to follow, towards a free node or into a knot */
	uint32_t knot;  /* result: number of the knot that it is part of, KNOT_NONE */
	uint32_t first; /* its edges after solving, in to[] */
};

struct knot_edge {
	uint32_t from, to;
};

struct knots {
	struct knot_node *nodes;
	struct knot_edge *edges;
	uint32_t *to; /* sorted by from; node n has those up to nodes[n + 1].first */
	uint32_t node_cnt, edge_cnt, knot_cnt;
	size_t node_cap, edge_cap;
};

/* Returns 0 or -ENOMEM, the number of the new node in *out. */
int knot_add(struct knots *k, bool free, uint32_t *out);
int knot_edge(struct knots *k, uint32_t from, uint32_t to);

/* Fills in the results. Linear in nodes and edges. */
int knot_solve(struct knots *k);

void knot_fini(struct knots *k);

#endif
