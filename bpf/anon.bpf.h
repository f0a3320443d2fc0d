/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * anon.bpf.h - anonymous files (fs/anon_inodes.c): all share one inode, so what
 * one is, is told by its name once and by its operations from then on.
 */
#ifndef IPCSPY_ANON_BPF_H
#define IPCSPY_ANON_BPF_H

#define ANON_INODE_FS_MAGIC 0x09041934
#define ANON_NAME_LEN       12 /* the longest asked for, with its end */

/* *fops: the operations of all such files, 0 until one was seen. */
static __always_inline bool anon_is(struct file *file, struct super_block *sb, __u64 *fops,
				    const char want[ANON_NAME_LEN])
{
	const unsigned char *name = NULL;
	struct dentry *dentry = NULL;
	char got[ANON_NAME_LEN] = {};
	unsigned long magic = 0;
	__u64 has = 0;

	if (KREAD(&has, (__u64 *)&file->f_op) || !has)
		return false;
	if (*fops)
		return has == *fops;
	KREAD(&magic, &sb->s_magic);
	if (magic != ANON_INODE_FS_MAGIC)
		return false;
	KREAD(&dentry, &file->f_path.dentry);
	KREAD(&name, &dentry->d_name.name);
	bpf_probe_read_kernel_str(got, sizeof(got), name);
	for (__u32 i = 0; i < ANON_NAME_LEN; i++)
		if (got[i] != want[i])
			return false;
	*fops = has;
	return true;
}

#endif
