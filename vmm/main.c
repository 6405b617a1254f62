/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - what the command line asks for: a machine (vmm.c), or a few lines on standard output.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "log.h"
#include "vmm/check_host.h"
#include "vmm/config.h"
#include "vmm/host_limits.h"
#include "vmm/vmm.h"

/* Prints what is wrong with the configuration, or with the host that it is read on. */
static enum exit_code fail(const struct error *err)
{
	log_error("%s", err->text);
	return err->host ? EXIT_HOST : EXIT_CONFIG;
}

/* Return: EXIT_POWER_OFF, or EXIT_HOST if what was printed did not get out. */
static enum exit_code printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_POWER_OFF;
	log_error("cannot write to standard output: %s", strerror(errno));
	return EXIT_HOST;
}

static enum exit_code dry_run(const struct config *config)
{
	_cleanup_(freep) char *json = NULL;
	struct error err = {0};

	if (config_check(config, &err) < 0)
		return fail(&err);
	json = config_to_json(config);
	if (!json) {
		log_error("out of memory");
		return EXIT_HOST;
	}
	puts(json);
	return printed();
}

int main(int argc, char **argv)
{
	_cleanup_(config_deinit) struct config config;
	enum config_action action;
	struct error err = {0};

	config_init(&config);
	if (config_from_args(&config, argc, argv, &action, &err) < 0)
		return fail(&err);
	log_set_level(config.log_level);
	host_limits_raise();
	switch (action) {
	case CONFIG_HELP:
		config_print_help();
		return printed();
	case CONFIG_VERSION:
		puts("vmm " VMM_VERSION);
		return printed();
	case CONFIG_CHECK_HOST:
		return check_host() ? printed() : EXIT_HOST;
	case CONFIG_DRY_RUN:
		return dry_run(&config);
	case CONFIG_RUN:
		break;
	}
	return vmm_run(&config);
}
