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

struct media_host *media_host_new(struct media_backend *backend, unsigned int files_max)
{
	struct media_host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	atomic_init(&host->refs, 1);
	host->backend = backend;
	host->files_max = files_max;
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
	free(host);
}

bool media_host_full(const struct media_host *host)
{
	return atomic_load(&host->files_n) >= host->files_max;
}

bool media_host_shares(const struct media_host *host)
{
	return atomic_load(&host->sharing_n) > 0;
}

struct session_file *session_file_new(struct media_host *host, struct media_file *file)
{
	struct session_file *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	atomic_init(&out->refs, 1);
	atomic_init(&out->kept, 1);
	atomic_init(&out->closed, false);
	out->host = media_host_get(host);
	out->file = file;
	atomic_fetch_add(&host->files_n, 1);
	return out;
}

struct session_file *session_file_get(struct session_file *file)
{
	atomic_fetch_add(&file->refs, 1);
	return file;
}

void session_file_share(struct session_file *file)
{
	if (file->shares)
		return;
	file->shares = true;
	atomic_fetch_add(&file->host->sharing_n, 1);
}

void session_file_put(struct session_file *file)
{
	if (!file || atomic_fetch_sub(&file->refs, 1) > 1)
		return;
	file->file->backend->ops->close(file->file);
	/* Only now has the host given back the pages that queued buffers had. */
	for (unsigned int i = 0; i < MEDIA_QUEUES; i++)
		media_queue_free(file->queues[i]);
	atomic_store(&file->closed, true);
	if (file->shares)
		atomic_fetch_sub(&file->host->sharing_n, 1);
	atomic_fetch_sub(&file->host->files_n, 1);
	media_host_put(file->host);
	session_file_forget(file);
}

void session_file_keep(struct session_file *file)
{
	atomic_fetch_add(&file->kept, 1);
}

void session_file_forget(struct session_file *file)
{
	if (atomic_fetch_sub(&file->kept, 1) == 1)
		free(file);
}
