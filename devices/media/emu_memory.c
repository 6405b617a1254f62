/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_memory.c - memory of an MMAP buffer: a sealed memfd. See emu.h.
 *
 * Counted by who uses it. When nobody does, the descriptor and our own mapping are gone; what
 * emu_memory_map() has mapped elsewhere keeps its pages. That is why each buffer has a file of its
 * own: one mapping keeps all of a file. On the thread of the loop.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "devices/media/emu_impl.h"

struct emu_memory {
	int fd;
	uint8_t *base;
	size_t bytes;
	unsigned int references;
};

/* Nobody can cut it: an access to a mapping never fails. */
static int set_size(int fd, size_t bytes)
{
	if (ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

int emu_memory_new(struct emu_memory **out, size_t bytes)
{
	struct emu_memory *memory;
	_cleanup_(closep) int fd = memfd_create("vmm-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *base;
	int r;

	if (fd < 0)
		return -errno;
	r = set_size(fd, bytes);
	if (r < 0)
		return r;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	memory = malloc(sizeof(*memory));
	if (!memory) {
		munmap(base, bytes);
		return -ENOMEM;
	}
	*memory = (struct emu_memory) {.fd = fd, .base = base, .bytes = bytes, .references = 1};
	fd = -1;
	*out = memory;
	return 0;
}

void emu_memory_get(struct emu_memory *memory)
{
	memory->references++;
}

void emu_memory_put(struct emu_memory *memory)
{
	if (!memory || --memory->references > 0)
		return;
	munmap(memory->base, memory->bytes);
	close(memory->fd);
	free(memory);
}

void *emu_memory_base(const struct emu_memory *memory)
{
	return memory->base;
}

int emu_memory_map(const struct emu_memory *memory, void *at, size_t len, bool writable)
{
	const int prot = PROT_READ | (writable ? PROT_WRITE : 0);

	assert(len <= memory->bytes);
	if (mmap(at, len, prot, MAP_SHARED | MAP_FIXED, memory->fd, 0) == MAP_FAILED)
		return -errno;
	return 0;
}
