/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media_driver.h - the driver of a virtio-media device, for tests: commands, ioctls with all that
 * follows their structs, buffers for events, region 0.
 *
 * Follows virtio 1.4, media device, and does what drivers in the field do. Each answer is held
 * against the length that the device gives for it: a byte written beyond that fails the test, as
 * does an answer that does not come within ten seconds. Test's thread.
 */
#ifndef VMM_TEST_MEDIA_DRIVER_H
#define VMM_TEST_MEDIA_DRIVER_H

#include "devices/media/media.h"
#include "tests/support/virtio_driver.h"
#include "virtio_media.h"

#define MEDIA_DRIVER_RING   256 /* entries, at most */
#define MEDIA_DRIVER_EVENTS 16	/* buffers, as many as a driver in the field has */

/* Guest memory that is the test's, page aligned; nothing of the driver's is there. */
#define MEDIA_DRIVER_PAGES     UINT64_C(0x2400000)
#define MEDIA_DRIVER_PAGES_END VIRTIO_DRIVER_MEMORY

#define MEDIA_UNTOUCHED 0xa5 /* what writable memory holds at first */

/*
 * struct media_command - one command, as bytes. Strings of piece lengths end with 0; the last piece
 * is the rest. Everything up to .used is the caller's, and stays until .done.
 */
struct media_command {
	const void *out; /* readable half, header included */
	uint32_t out_len;
	void *in; /* where the writable half goes when it comes back; NULL: nowhere */
	uint32_t in_len;
	const uint32_t *out_cuts; /* NULL: a header of 16, the rest by pages */
	const uint32_t *in_cuts;  /* NULL: a header of 8, the rest by pages */
	uint32_t cut;		  /* unless 0: pieces of so many bytes in both halves */
	bool in_place;		  /* what follows both headers are the same pages */
	void (*hook)(struct media_command *command); /* unless NULL: right before it is sent */
	uint32_t used;				     /* bytes that the device says it has written */
	bool done;
	/* The driver's. */
	struct driver_sg sg[MEDIA_DRIVER_RING];
	unsigned int out_n, in_n;
};

/* struct media_event - one event as it came. */
struct media_event {
	uint32_t len;
	union {
		struct virtio_media_event_header hdr;
		struct virtio_media_event_error error;
		struct virtio_media_event_dqbuf dqbuf;
		struct virtio_media_event_event event;
		uint8_t bytes[1024];
	};
};

/* struct media_sg - guest memory for one pointer of a payload. */
struct media_sg {
	const struct virtio_media_sg_entry *entries;
	uint32_t n;
};

struct media_driver {
	struct virtio_driver driver;
	struct media *media;
	uint64_t features; /* negotiated, of rings */
	/* How the helpers below send their commands. */
	uint32_t cut;
	bool in_place;
	bool keep_events; /* event buffers that were taken do not go back to the device */
	/* What the last of them came back with. */
	uint32_t used;
	/* Private. */
	struct media_command *commands[MEDIA_DRIVER_RING];
	unsigned int in_flight;
	uint64_t arena;
	struct driver_sg event_at[MEDIA_DRIVER_RING]; /* by id */
	unsigned int event_slots, events_free;
	struct driver_sg spare[MEDIA_DRIVER_RING]; /* taken and not given back */
};

/* Life. The test makes its backend with md->driver.env between init and attach. */

/*
 * media_driver_init - guest memory and a loop. @threaded: the device gets its own thread.
 * @private: guest memory that cannot be mapped a second time.
 */
void media_driver_init(struct media_driver *md, enum loop_kind kind, bool threaded, bool private);

/* media_driver_attach - make the device; it owns @backend. @options: NULL for the defaults. */
void media_driver_attach(struct media_driver *md, struct media_backend *backend,
			 const struct media_options *options);

/*
 * media_driver_start - reset, negotiate @features (of rings) and go; a second time, it is the
 * driver that begins anew. Then @events event buffers of the full size are made available.
 */
void media_driver_start(struct media_driver *md, uint64_t features, unsigned int events);

/* media_driver_deinit - stop the device and free it, backend included. */
void media_driver_deinit(struct media_driver *md);

/* media_driver_defaults - options with all defaults, but a small window. */
struct media_options media_driver_defaults(void);

/* Commands. */

/* media_driver_send - make it available and notify. Several may be in flight. */
void media_driver_send(struct media_driver *md, struct media_command *command);

/* media_driver_poll - take what has been used by now. */
void media_driver_poll(struct media_driver *md);

/* media_driver_wait - until it is done. media_driver_within - Return: is it done in @ms? */
void media_driver_wait(struct media_driver *md, struct media_command *command);
bool media_driver_within(struct media_driver *md, struct media_command *command, unsigned int ms);

/* media_driver_call - send and wait. */
void media_driver_call(struct media_driver *md, struct media_command *command);

/* media_driver_pause - @ms for the device to do what it should not. */
void media_driver_pause(struct media_driver *md, unsigned int ms);

/*
 * media_driver_sync - the device has answered all commands sent before, and has had the time to do
 * what came from elsewhere before.
 */
void media_driver_sync(struct media_driver *md);

/* Helpers. Return: the status of the answer, a positive errno or 0; md->used is its length. */

uint32_t media_driver_open(struct media_driver *md, uint32_t *session);
void media_driver_close(struct media_driver *md, uint32_t session);
uint32_t media_driver_mmap(struct media_driver *md, uint32_t session, uint32_t flags,
			   uint32_t offset, uint64_t *addr, uint64_t *len);
uint32_t media_driver_munmap(struct media_driver *md, uint64_t addr);

/* media_driver_session - one that opens without fail. */
uint32_t media_driver_session(struct media_driver *md);

/*
 * media_driver_ioctl - @cmd: a whole VIDIOC_ code, which says what @arg is and where it goes.
 * Changed only if the device has written it.
 */
uint32_t media_driver_ioctl(struct media_driver *md, uint32_t session, unsigned long cmd,
			    void *arg);

/*
 * media_driver_buffer - an ioctl with a struct v4l2_buffer. @planes: buffer->length of them if its
 * type is multi-planar. @sg: guest memory of each plane, in their order; @sg_n of them.
 */
uint32_t media_driver_buffer(struct media_driver *md, uint32_t session, unsigned long cmd,
			     struct v4l2_buffer *buffer, struct v4l2_plane *planes,
			     const struct media_sg *sg, unsigned int sg_n);

/*
 * media_driver_controls - an ioctl with a struct v4l2_ext_controls, with controls->count @list.
 * @sg: guest memory for each control with a size, in their order.
 */
uint32_t media_driver_controls(struct media_driver *md, uint32_t session, unsigned long cmd,
			       struct v4l2_ext_controls *controls, struct v4l2_ext_control *list,
			       const struct media_sg *sg, unsigned int sg_n);

/* media_driver_bytes - an ioctl of any number with any payload, @in_len bytes to come back. */
uint32_t media_driver_bytes(struct media_driver *md, uint32_t session, uint32_t code,
			    const void *out, uint32_t out_len, void *in, uint32_t in_len);

/* Events. */

/* media_driver_fill - make @n more event buffers of @size bytes available. */
void media_driver_fill(struct media_driver *md, unsigned int n, uint32_t size);

/* media_driver_refill - give back what was taken while md->keep_events. */
void media_driver_refill(struct media_driver *md);

/* media_driver_take - the next event that is there. Return: was there one? */
bool media_driver_take(struct media_driver *md, struct media_event *event);

/* media_driver_event - the next event, within ten seconds. */
void media_driver_event(struct media_driver *md, struct media_event *event);

/* media_driver_has_used - has @queue a used buffer that was not taken? Any thread, signal-safe. */
bool media_driver_has_used(const struct media_driver *md, unsigned int queue);

/* media_driver_event_page - the page of the first event buffer that was made available. */
uint8_t *media_driver_event_page(struct media_driver *md);

/* media_driver_quiet - no event is there, nor comes while the device is given time. */
bool media_driver_quiet(struct media_driver *md);

/* Memory. */

/* media_driver_at - what the guest sees at @addr of region 0, an answer of MMAP. */
uint8_t *media_driver_at(struct media_driver *md, uint64_t addr);

/* media_driver_page - @len bytes of guest memory at @gpa. */
uint8_t *media_driver_page(struct media_driver *md, uint64_t gpa, uint64_t len);

/* media_driver_alive - fails the test unless a session can be opened and closed. */
void media_driver_alive(struct media_driver *md);

/* media_driver_fds - descriptors that this process has open. */
unsigned int media_driver_fds(void);

#endif
