/* A resolver that is silent: names that end in ".silent" are never found, nor missed.

   To be preloaded. All other names are the system's to find. Each look-up that hangs
   adds a byte to the file named by SILENT_RESOLVER. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int look_up(const char *, const char *, const struct addrinfo *,
                    struct addrinfo **);

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    static const char end[] = ".silent";
    size_t length = name ? strlen(name) : 0, least = sizeof end - 1;
    look_up *real = (look_up *)dlsym(RTLD_NEXT, "getaddrinfo");

    if (length > least && !strcmp(name + length - least, end)) {
        int file = open(getenv("SILENT_RESOLVER"), O_WRONLY | O_APPEND | O_CLOEXEC);
        if (file < 0 || write(file, "?", 1) != 1)
            abort();
        close(file);
        for (;;)
            pause();
    }
    return real(name, service, hints, found);
}
