/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * kernel.h - the kernel types that the programs in bpf/ touch, and no others: all that
 * are the same on every architecture. <arch>/vmlinux.h has the rest, and this.
 *
 * Names and types are those of Linux 6.18 (BTF of x86_64). Offsets here mean
 * nothing: preserve_access_index makes libbpf relocate every field by name to
 * where the running kernel has it. `make vmlinux` holds each field against the
 * running kernel's BTF. What differs between kernels is a flavour
 * (struct foo___bar) with the versions that it serves.
 */
#ifndef IPCSPY_KERNEL_H
#define IPCSPY_KERNEL_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* include/uapi/linux/bpf.h: stable numbers */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_MMAPABLE = 1024,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
	void *s_fs_info;
};

struct address_space {
	atomic_t i_mmap_writable;
};

struct inode {
	unsigned short i_mode;
	unsigned int __i_nlink;
	unsigned long i_ino;
	__u32 i_rdev;
	struct super_block *i_sb;
	struct address_space *i_mapping;
	__s64 i_size;
	atomic_t i_count;
	__u32 i_generation;
	void *i_private;
};

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct lockref {
	union {
		struct {
			int count;
		};
	};
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct lockref d_lockref;
};

struct vfsmount {
	struct super_block *mnt_sb;
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

typedef struct {
	atomic64_t refcnt;
} file_ref_t; /* 6.13 */

struct file {
	unsigned int f_mode;
	const struct file_operations *f_op;
	struct inode *f_inode;
	void *private_data;
	struct path f_path;
	file_ref_t f_ref;
};

struct file___count { /* up to 6.12 */
	atomic64_t f_count;
};

struct eventfd_ctx {
	__u64 count;
	unsigned int flags;
	int id;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
};

struct seqcount {
	unsigned sequence;
};

/* Since 6.13; the next from 6.4 to 6.12; 6.1 has none, nor one without CONFIG_PER_VMA_LOCK. */
struct mm_struct___seqcount {
	struct seqcount mm_lock_seq;
};

struct mm_struct___int {
	int mm_lock_seq;
};

struct mm_struct;

struct rt_mutex_base {
	struct task_struct *owner; /* lowest bit: has waiters */
};

struct completion;

struct rt_mutex_waiter {
	struct rt_mutex_base *lock;
};

struct rq {
	__u64 clock;
	__u64 clock_task;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	__u64 exec_start;
	struct cfs_rq *cfs_rq;
};

struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct sigpending {
	struct list_head list;
	sigset_t signal;
};

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};

struct kernel_siginfo {
	int si_code;
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	struct list_head thread_head;
	struct sigpending shared_pending;
	int group_exit_code;
	unsigned int flags;
};

struct ns_common {
	unsigned int inum;
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct ipc_ids {
	struct idr ipcs_idr;
};

struct ipc_namespace {
	struct ipc_ids ids[3];
	struct vfsmount *mq_mnt;
	struct ns_common ns;
};

struct nsproxy {
	struct ipc_namespace *ipc_ns;
};

typedef struct {
	__u32 val;
} kuid_t;

struct kern_ipc_perm {
	bool deleted;
	int id;
	int key;
	kuid_t cuid;
	unsigned short mode;
};

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct msg_msg {
	struct list_head m_list;
	long m_type;
	unsigned long m_ts;
};

struct msg_queue {
	struct kern_ipc_perm q_perm;
	unsigned long q_cbytes;
	unsigned long q_qnum;
	unsigned long q_qbytes;
	struct pid *q_lrpid;
	struct list_head q_messages;
};

struct sem {
	int semval;
};

struct sem_array {
	struct kern_ipc_perm sem_perm;
	int sem_nsems;
	struct sem sems[0];
};

struct mq_attr {
	long mq_maxmsg;
	long mq_msgsize;
	long mq_curmsgs;
};

struct posix_msg_tree_node {
	struct rb_node rb_node;
	struct list_head msg_list;
};

struct mqueue_inode_info {
	struct inode vfs_inode;
	struct rb_node *msg_tree_rightmost;
	struct mq_attr attr;
	unsigned long qsize;
};

struct ktermios {
	unsigned int c_iflag;
	unsigned int c_oflag;
	unsigned int c_cflag;
	unsigned int c_lflag;
	unsigned char c_line;
};

struct tty_buffer {
	struct tty_buffer *next;
	int commit;
	int read;
};

struct tty_bufhead {
	struct tty_buffer *head;
	atomic_t mem_used;
	int mem_limit;
};

struct tty_port {
	struct tty_bufhead buf;
};

struct tty_driver {
	int major;
};

struct tty_struct {
	int index;
	struct tty_driver *driver;
	struct tty_port *port;
	struct ktermios termios;
	struct {
		struct pid *pgrp;
		bool packet;
	} ctrl;
	struct tty_struct *link;
	void *disc_data;
};

struct tty_file_private {
	struct tty_struct *tty;
	struct file *file;
};

struct n_tty_data {
	unsigned long read_head;
	unsigned long read_tail;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct pid_namespace {
	struct idr idr;
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[0];
};

struct shmid_kernel {
	struct kern_ipc_perm shm_perm;
	struct file *shm_file;
	struct pid *shm_cprid;
};

struct shm_file_data {
	int id;
	struct ipc_namespace *ns;
};

enum timespec_type {
	TT_NONE = 0,
	TT_NATIVE = 1,
	TT_COMPAT = 2,
};

/* What a call that a signal interrupted goes on with: one of these. */
struct restart_block {
	struct {
		int clockid;
		enum timespec_type type;
		__u64 expires;
	} nanosleep;
	struct {
		void *ufds;
		int nfds;
		int has_timeout;
	} poll;
};

struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};

struct restart_block___parts { /* 6.18 */
	struct {
		unsigned long tv_sec;
		unsigned long tv_nsec;
	} poll;
};

struct restart_block___end { /* 7.3 */
	struct {
		struct timespec64 end_time;
	} poll;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[0]; /* by level, itself the last; since 6.1 */
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct thread_info thread_info;
	struct restart_block restart_block;
	unsigned int __state;
	unsigned int flags;
	unsigned int ptrace;
	struct sched_entity se;
	int exit_state;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *parent;
	struct list_head children;
	struct list_head sibling;
	struct list_head ptraced;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	struct completion *vfork_done;
	__u64 start_time;
	char comm[16];
	struct mm_struct *mm;
	struct rt_mutex_waiter *pi_blocked_on;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct signal_struct *signal;
	struct list_head thread_node;
	sigset_t blocked;
	struct sigpending pending;
};

struct linux_binprm;

struct pipe_buffer {
	unsigned int len;
};

struct pipe_inode_info {
	unsigned int head;
	unsigned int tail;
	unsigned int max_usage;
	unsigned int ring_size;
	struct pipe_buffer *bufs;
};

struct in6_addr { /* only its address and size are used */
	__u8 bytes[16];
};

struct net {
	struct ns_common ns;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct {
		struct net *net;
	} skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sk_buff {
	struct sk_buff *next;
	char cb[48];
	unsigned int len;
};

struct sk_buff_head {
	struct sk_buff *next;
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	struct socket *sk_socket;
	int sk_rcvbuf;
	int sk_sndbuf;
	int sk_wmem_queued;
	refcount_t sk_wmem_alloc;
	__u16 sk_type;
	__u16 sk_protocol;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
};

struct socket {
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

/* Newer kernels (6.18 does, 6.12 does not) count a stream socket's unread bytes themselves. */
struct unix_sock___inq {
	int inq_len;
};

struct unix_skb_parms {
	__u32 consumed;
};

struct tcp_sock {
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u32 snd_una;
	__u32 write_seq;
};

/* io_uring/io_uring_types.h: a request, and what its operation keeps in its first bytes */
struct io_cqe {
	__u64 user_data;
	int fd; /* until the file is looked up */
};

struct io_kiocb {
	struct file *file;
	__u8 opcode;
	unsigned int flags; /* 64 bits since 6.8: the low ones are meant */
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
	void *async_data;
};

struct io_uring_cqe {
	__u64 user_data;
	__s32 res;
	__u32 flags;
};

struct io_rw {
	__u64 addr;
	__u32 len;
};

struct io_sr_msg {
	void *buf;
	int len;
	unsigned int msg_flags;
};

/* Until 6.12 a send keeps its caller's address; later it is copied when prepared. */
struct io_sr_msg___addr {
	__u16 addr_len;
	void *addr;
};

struct io_accept {
	__u32 file_slot;
};

struct io_close {
	int fd;
	__u32 file_slot;
};

struct io_splice {
	int splice_fd_in;
	unsigned int flags;
};

struct io_async_msghdr {
	int namelen;
	unsigned long controllen;
};

/* Files registered with a ring: since 6.13 by node, before in a plain array. */
struct io_rsrc_node {
	unsigned long file_ptr;
};

struct io_rsrc_data {
	unsigned int nr;
	struct io_rsrc_node **nodes;
};

struct io_file_table {
	struct io_rsrc_data data;
};

struct io_ring_ctx {
	struct io_file_table file_table;
};

struct io_fixed_file___old {
	unsigned long file_ptr;
};

struct io_file_table___old {
	struct io_fixed_file___old *files;
};

struct io_ring_ctx___old {
	struct io_file_table___old file_table;
	unsigned int nr_user_files;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif
