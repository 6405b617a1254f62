/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - main() of a fuzzer without libFuzzer: runs it over every file of some folders.
 *
 * So the corpus is a test for every compiler. Linked with one fuzz_X.c; a finding aborts, and the
 * file's name, printed before, says which one it was.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is copied into a buffer of exactly its size, so that a sanitizer sees what is behind.
 */
static int replay_file(FILE *file)
{
	_cleanup_(freep) uint8_t *data = NULL;
	struct stat st;

	if (fstat(fileno(file), &st) < 0)
		return -errno;
	data = malloc((size_t)st.st_size);
	if (!data && st.st_size)
		return -ENOMEM;
	if (fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		return -EIO;
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	return 0;
}

static int replay_path(const char *path)
{
	FILE *file = fopen(path, "r");
	int r;

	if (!file)
		return -errno;
	fprintf(stderr, "%s\n", path);
	r = replay_file(file);
	fclose(file);
	return r;
}

/* Return: how many files were run; -errno. */
static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int n = 0, r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir))) {
		_cleanup_(freep) char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		r = asprintf(&path, "%s/%s", folder, entry->d_name) < 0 ? -ENOMEM
									: replay_path(path);
		n++;
	}
	closedir(dir);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		int n = replay_folder(argv[i]);

		if (n <= 0) {
			fprintf(stderr, "%s: %s\n", argv[i], n < 0 ? strerror(-n) : "no files");
			return 1;
		}
		printf("%s: %d files\n", argv[i], n);
	}
	return 0;
}
