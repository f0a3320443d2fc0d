/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * inode.bpf.h - what identifies a file whose pages processes share.
 *
 * Device, inode number and generation: tmpfs, memfd and System V segments get a
 * random generation, file systems on disks count theirs, so that a number given
 * out again is another object. Where a file system has no generations (hugetlbfs)
 * the inode's address stands for it: its inodes live as long as their content.
 */
#ifndef IPCSPY_INODE_BPF_H
#define IPCSPY_INODE_BPF_H

#include "ipcspy.bpf.h"

/*
 * The id of the object whose pages the inode has; 0 when it cannot be read. Take the inode of a
 * mapping from vma->vm_file: overlayfs maps another file than the descriptor's.
 */
static __always_inline __u64 inode_id(struct inode *inode)
{
	struct super_block *sb = NULL;
	unsigned long ino = 0;
	__u32 dev = 0, gen = 0;
	__u64 tag;

	if (!inode || KREAD(&sb, &inode->i_sb) || KREAD(&dev, &sb->s_dev))
		return 0;
	KREAD(&ino, &inode->i_ino);
	KREAD(&gen, &inode->i_generation);
	tag = (__u64)dev << 32 | gen;
	return mix(gen ? tag : tag ^ (__u64)inode, ~(__u64)ino);
}

#endif
