/* A disk that forgets what was not synced.

   For LD_PRELOAD. After each fsync or fdatasync of the spool or its log that came
   back, the file as it is then is kept beside it as NAME.durable. Whoever kills the
   process puts that back in place of the file: all that was written since, and never
   synced, is gone as after a power cut.

   With LOST_WRITES=deaf nothing is ever kept, as where a program forgot to sync. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_spool(const char *path)
{
	const char *name = strrchr(path, '/');
	return name && (!strcmp(name, "/spool.db") || !strcmp(name, "/spool.db-wal"));
}

static void keep(int fd)
{
	char link[64], path[PATH_MAX], new[PATH_MAX + 16], kept[PATH_MAX + 16];
	char bytes[65536];
	const char *mode = getenv("LOST_WRITES");

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof path - 1);
	if (size < 0 || (mode && !strcmp(mode, "deaf")))
		return;
	path[size] = 0;
	if (!is_spool(path))
		return;
	snprintf(new, sizeof new, "%s.copying", path);
	snprintf(kept, sizeof kept, "%s.durable", path);
	int out = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		abort();
	off_t at = 0;
	while ((size = pread(fd, bytes, sizeof bytes, at)) > 0) {
		if (write(out, bytes, size) != size)
			abort();
		at += size;
	}
	/* Killed before this line, the sync has not come back to anybody. */
	if (size < 0 || close(out) || rename(new, kept))
		abort();
}

#define SYNC(name)                                                   \
	int name(int fd)                                             \
	{                                                            \
		static int (*real)(int);                             \
		if (!real)                                           \
			real = (int (*)(int))dlsym(RTLD_NEXT, #name); \
		int done = real(fd);                                 \
		if (!done) {                                         \
			int before = errno;                          \
			keep(fd);                                    \
			errno = before;                              \
		}                                                    \
		return done;                                         \
	}

SYNC(fsync)
SYNC(fdatasync)
