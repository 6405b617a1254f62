/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_interval.c - how often an emulated V4L2 device has a frame. See emu.h.
 *
 * VIDIOC_ENUM_FRAMEINTERVALS, G_PARM, S_PARM. An interval that the frame size does not allow is
 * made the nearest that it does; one of 0 is the device's own. On the thread of the loop.
 */
#include <errno.h>
#include <string.h>

#include "devices/media/emu_impl.h"

static double seconds(struct v4l2_fract interval)
{
	return (double)interval.numerator / interval.denominator;
}

static struct v4l2_fract reduced(uint64_t numerator, uint64_t denominator)
{
	uint64_t a = numerator, b = denominator;

	while (b) {
		const uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return (struct v4l2_fract) {
		.numerator = (uint32_t)(numerator / a),
		.denominator = (uint32_t)(denominator / a),
	};
}

static bool has_range(const struct emu_size *size)
{
	return size->interval_range.step.denominator != 0;
}

static bool is_continuous(const struct v4l2_frmival_stepwise *range)
{
	return range->step.numerator == 1 && range->step.denominator == 1;
}

static struct v4l2_fract nearest_in_range(const struct v4l2_frmival_stepwise *range,
					  struct v4l2_fract wanted)
{
	const double min = seconds(range->min), step = seconds(range->step);
	const uint64_t steps_max = (uint64_t)((seconds(range->max) - min) / step + 1e-6);
	uint64_t steps;

	if (seconds(wanted) <= min)
		return range->min;
	if (is_continuous(range))
		return seconds(wanted) < seconds(range->max) ? wanted : range->max;
	steps = seconds(wanted) < seconds(range->max)
			? (uint64_t)((seconds(wanted) - min) / step + 0.5)
			: steps_max;
	steps = MIN(steps, steps_max);
	return reduced((uint64_t)range->min.numerator * range->step.denominator +
			       steps * range->step.numerator * range->min.denominator,
		       (uint64_t)range->min.denominator * range->step.denominator);
}

struct v4l2_fract emu_interval_nearest(const struct emu_size *size, struct v4l2_fract wanted)
{
	struct v4l2_fract best = {0};
	double least = -1;

	if (!size->intervals && !has_range(size))
		return best;
	if (wanted.denominator == 0)
		wanted = (struct v4l2_fract) {0, 1};
	if (!size->intervals)
		return nearest_in_range(&size->interval_range, wanted);
	for (unsigned int i = 0; i < size->intervals_n; i++) {
		double off = seconds(size->intervals[i]) - seconds(wanted);

		off = off < 0 ? -off : off;
		if (least < 0 || off < least) {
			least = off;
			best = size->intervals[i];
		}
	}
	return best;
}

/* The size that the ioctl names, of any stream's format; NULL. */
static const struct emu_size *find_size(const struct emu_file *file,
					const struct v4l2_frmivalenum *interval)
{
	const struct emu_setup *setup = emu_of(file)->setup;

	for (unsigned int i = 0; i < setup->streams_n; i++) {
		const struct emu_format *format =
			emu_format_find(&setup->streams[i], interval->pixel_format);

		if (format)
			return emu_size_find(format, interval->width, interval->height);
	}
	return NULL;
}

int emu_enum_frameintervals(struct emu_file *file, void *arg)
{
	struct v4l2_frmivalenum *interval = arg;
	const struct emu_size *size = find_size(file, interval);

	if (!size)
		return -EINVAL;
	if (interval->index >= (size->intervals ? size->intervals_n : has_range(size)))
		return -EINVAL;
	*interval = (struct v4l2_frmivalenum) {
		.index = interval->index,
		.pixel_format = interval->pixel_format,
		.width = interval->width,
		.height = interval->height,
	};
	if (size->intervals) {
		interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
		interval->discrete = size->intervals[interval->index];
	} else {
		interval->type = is_continuous(&size->interval_range) ? V4L2_FRMIVAL_TYPE_CONTINUOUS
								      : V4L2_FRMIVAL_TYPE_STEPWISE;
		interval->stepwise = size->interval_range;
	}
	return 0;
}

/*
 * The queue of which @parm speaks. Return: 0; -EINVAL: no such queue; -ENOTTY: none of the device
 * has intervals.
 */
static int find_queue(struct emu_file *file, const struct v4l2_streamparm *parm,
		      struct emu_queue **out)
{
	const struct emu_setup *setup = emu_of(file)->setup;
	bool any = false;

	for (unsigned int i = 0; i < setup->streams_n; i++)
		any |= setup->streams[i].interval.numerator != 0;
	if (!any)
		return -ENOTTY;
	*out = emu_queue_find(file->context, parm->type);
	return *out && (*out)->interval.numerator ? 0 : -EINVAL;
}

_Static_assert(offsetof(struct v4l2_captureparm, timeperframe) ==
		       offsetof(struct v4l2_outputparm, timeperframe),
	       "one code for both directions");

static void give(struct v4l2_streamparm *parm, const struct emu_queue *queue)
{
	memset(&parm->parm, 0, sizeof(parm->parm));
	parm->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
	parm->parm.capture.timeperframe = queue->interval;
}

int emu_g_parm(struct emu_file *file, void *arg)
{
	struct v4l2_streamparm *parm = arg;
	struct emu_queue *queue;
	int r = find_queue(file, parm, &queue);

	if (r == 0)
		give(parm, queue);
	return r;
}

int emu_s_parm(struct emu_file *file, void *arg)
{
	struct v4l2_streamparm *parm = arg;
	struct v4l2_fract wanted = parm->parm.capture.timeperframe;
	struct emu_queue *queue;
	int r = find_queue(file, parm, &queue);

	if (r < 0)
		return r;
	if (queue->streaming || emu_queue_busy(queue, file))
		return -EBUSY;
	if (wanted.numerator == 0 || wanted.denominator == 0)
		wanted = queue->stream->interval;
	queue->interval = emu_interval_nearest(queue->size, wanted);
	give(parm, queue);
	return 0;
}
