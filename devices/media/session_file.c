/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session_file.c - what outlives a session, and a device, because a call in the host's kernel may
 * never come back: the session's file, memory that the host may still use, and the backend. See
 * media_device.h.
 *
 * Counted references; the last one closes or frees, on whatever thread that is.
 */
#include <assert.h>

#include "devices/media/media_device.h"

struct media_host *media_host_new(struct media_backend *backend)
{
	struct media_host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	atomic_init(&host->refs, 1);
	host->backend = backend;
	sem_init(&host->closed, 0, 0);
	return host;
}

struct media_host *media_host_get(struct media_host *host)
{
	atomic_fetch_add(&host->refs, 1);
	return host;
}

void media_host_put(struct media_host *host)
{
	if (!host || atomic_fetch_sub(&host->refs, 1) > 1)
		return;
	host->backend->ops->free(host->backend);
	sem_destroy(&host->closed);
	free(host);
}

struct session_file *session_file_new(struct media_host *host, struct media_file *file)
{
	struct session_file *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	atomic_init(&out->refs, 1);
	out->host = media_host_get(host);
	out->file = file;
	return out;
}

struct session_file *session_file_get(struct session_file *file)
{
	atomic_fetch_add(&file->refs, 1);
	return file;
}

void session_file_put(struct session_file *file)
{
	if (!file || atomic_fetch_sub(&file->refs, 1) > 1)
		return;
	file->file->backend->ops->close(file->file);
	/* Only now has the host given back the pages that queued buffers had. */
	for (unsigned int i = 0; i < MEDIA_QUEUES; i++)
		media_queue_free(file->queues[i]);
	media_host_put(file->host);
	free(file);
}
