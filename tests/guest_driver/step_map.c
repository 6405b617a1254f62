/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step_map.c - mmap() of buffers: who may, for how long, and how the pages are mapped.
 *
 * A mapping lives until its last piece is unmapped, in whichever process that is, and whatever has
 * become of its buffer: then the device hears of it once, and the flag MAPPED goes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"

#define PAGE 4096

static void begin(struct camera *camera)
{
	camera_open(camera, 0);
	camera_request(camera, V4L2_MEMORY_MMAP, 1, 0);
}

static void end(struct camera *camera)
{
	camera->n = 0;
	camera_release(camera);
	camera_close(camera);
}

static bool is_mapped(struct camera *camera)
{
	return camera_query(camera, 0) & V4L2_BUF_FLAG_MAPPED;
}

static void unmap(void *data, size_t len)
{
	need(munmap(data, len) == 0, "munmap: %s", strerror(errno));
}

void step_fork(void)
{
	struct camera camera;
	int go[2], status;
	char byte = 0;
	pid_t child;

	begin(&camera);
	memset(camera.data[0], 0x5a, FRAME);
	need(pipe(go) == 0, "pipe: %s", strerror(errno));
	child = fork_child();
	if (child == 0) {
		need(read(go[0], &byte, 1) == 1, "no word of the parent's");
		for (unsigned int i = 0; i < FRAME; i++)
			need(camera.data[0][i] == 0x5a, "byte %u is another", i);
		memset(camera.data[0], 0xa5, FRAME);
		_exit(0);
	}
	unmap(camera.data[0], camera.length);
	need(is_mapped(&camera), "it is unmapped, but the child has it");
	need(write(go[1], &byte, 1) == 1, "write: %s", strerror(errno));
	need(waitpid(child, &status, 0) == child && status == 0, "the child ended with %#x",
	     status);
	need(!is_mapped(&camera), "it is mapped, but the child is gone");
	camera.data[0] = mmap(NULL, camera.length, PROT_READ | PROT_WRITE, MAP_SHARED, camera.fd,
			      camera.offset[0]);
	need(camera.data[0] != MAP_FAILED, "mmap: %s", strerror(errno));
	need(camera.data[0][FRAME - 1] == 0xa5, "the child wrote elsewhere");
	unmap(camera.data[0], camera.length);
	end(&camera);
}

void step_split(void)
{
	struct camera camera;
	uint8_t *data;

	begin(&camera);
	data = camera.data[0];
	memset(data, 0x11, camera.length);
	/* Three pieces, of which the middle one goes first. */
	unmap(data + 4 * PAGE, 2 * PAGE);
	need(is_mapped(&camera), "it is unmapped after its middle");
	memset(data, 0x22, 4 * PAGE);
	need(data[6 * PAGE] == 0x11, "the last piece is another");
	need(mprotect(data, PAGE, PROT_READ) == 0, "mprotect: %s", strerror(errno));
	unmap(data, 4 * PAGE);
	need(is_mapped(&camera), "it is unmapped, but there is the last piece");
	need(data[6 * PAGE] == 0x11, "the last piece is another");
	unmap(data + 6 * PAGE, camera.length - 6 * PAGE);
	need(!is_mapped(&camera), "it is mapped after all pieces");
	end(&camera);
}

void step_readonly(void)
{
	struct camera camera;
	struct v4l2_buffer buffer;
	uint8_t *data;

	begin(&camera);
	data = mmap(NULL, camera.length, PROT_READ, MAP_SHARED, camera.fd, camera.offset[0]);
	need(data != MAP_FAILED, "mmap: %s", strerror(errno));
	need(mprotect(data, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES,
	     "a read-only mapping can be made writable");
	camera_queue(&camera, 0);
	camera_on(&camera);
	need(camera_dequeue(&camera, &buffer) == 0, "no frame");
	need(memcmp(data, camera.data[0], FRAME) == 0, "the read-only mapping has another frame");
	camera_off(&camera);
	unmap(data, camera.length);
	unmap(camera.data[0], camera.length);
	end(&camera);
}

void step_orphan(void)
{
	struct v4l2_requestbuffers request = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	struct camera camera;
	uint8_t *old;

	begin(&camera);
	old = camera.data[0];
	memset(old, 0x33, FRAME);
	need(xioctl(camera.fd, VIDIOC_REQBUFS, &request) == 0, "REQBUFS(0) of a mapped buffer");
	need(old[FRAME - 1] == 0x33, "a mapping has lost its buffer");
	camera_request(&camera, V4L2_MEMORY_MMAP, 1, 0);
	memset(camera.data[0], 0x44, FRAME);
	need(old[0] == 0x33, "the old mapping shows the new buffer");
	unmap(old, camera.length);
	need(is_mapped(&camera), "the old mapping's end was the new one's");
	unmap(camera.data[0], camera.length);
	end(&camera);
}

/* More mappings than the region has room for, one after the other, and some by fork. */
void step_remap(void)
{
	struct camera camera;

	begin(&camera);
	for (unsigned int i = 0; i < 300; i++) {
		uint8_t *data = mmap(NULL, camera.length, PROT_READ | PROT_WRITE, MAP_SHARED,
				     camera.fd, camera.offset[0]);
		pid_t child;

		need(data != MAP_FAILED, "mapping %u: %s", i, strerror(errno));
		if (i % 10 == 0) {
			child = fork_child();
			if (child == 0)
				_exit(data[0] == 1);
			need(waitpid(child, NULL, 0) == child, "waitpid: %s", strerror(errno));
		}
		unmap(data + PAGE, camera.length - PAGE);
		unmap(data, PAGE);
	}
	unmap(camera.data[0], camera.length);
	end(&camera);
}

static int map_error(const struct camera *camera, size_t len, int flags, uint32_t offset)
{
	void *data = mmap(NULL, len, PROT_READ, flags, camera->fd, offset);

	if (data != MAP_FAILED) {
		munmap(data, len);
		return 0;
	}
	return errno;
}

void step_refused(void)
{
	struct camera camera;
	const size_t more = FRAME + 4 * PAGE;

	begin(&camera);
	need(map_error(&camera, camera.length, MAP_PRIVATE, camera.offset[0]) == EINVAL,
	     "a private mapping is possible");
	need(map_error(&camera, more, MAP_SHARED, camera.offset[0]) == EINVAL,
	     "more than the buffer can be mapped");
	need(map_error(&camera, PAGE, MAP_SHARED, camera.offset[0] + 0x10000000) == EINVAL,
	     "an offset of nothing can be mapped");
	need(map_error(&camera, PAGE, MAP_SHARED, camera.offset[0]) == 0,
	     "a part of a buffer cannot be mapped");
	unmap(camera.data[0], camera.length);
	need(!is_mapped(&camera), "what was refused is mapped");
	need(map_error(&camera, PAGE, MAP_SHARED, camera.offset[0]) == 0, "mmap: %s",
	     strerror(errno));
	end(&camera);
}

/* Whose physical pages are whose, and how x86 Linux maps them. Mounted by whoever runs this. */
#define REGIONS	 "/proc/iomem"
#define MEMTYPES "/sys/kernel/debug/x86/pat_memtype_list"

struct range {
	unsigned long long start, end; /* .end: the first that is not of it */
};

/* The driver's: region 0 of the device. */
static struct range find_window(void)
{
	FILE *file = fopen(REGIONS, "r");
	struct range range = {};
	bool found = false;
	char line[256];

	need(file, "%s: %s", REGIONS, strerror(errno));
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, " : virtio_media") &&
			sscanf(line, " %llx-%llx", &range.start, &range.end) == 2;
	fclose(file);
	need(found, "%s has no range of the driver's", REGIONS);
	range.end++;
	return range;
}

/* Pages of a range that nobody has said anything of are uncached. */
void step_cacheable(void)
{
	const struct range window = find_window();
	struct camera camera;
	bool found = false;
	char line[256];
	FILE *file;

	begin(&camera);
	camera.data[0][0] = 1;
	file = fopen(MEMTYPES, "r");
	need(file, "%s: %s", MEMTYPES, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		struct range range;

		if (sscanf(line, "PAT: [mem %llx-%llx]", &range.start, &range.end) != 2 ||
		    range.end <= window.start || range.start >= window.end)
			continue;
		need(strstr(line, "write-back"), "buffers are not mapped as memory: %s", line);
		found |= range.start <= window.start && range.end >= window.end;
	}
	fclose(file);
	need(found, "no type of %#llx-%#llx is known", window.start, window.end);
	unmap(camera.data[0], camera.length);
	end(&camera);
}
