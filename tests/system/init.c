/* The first program of a card that boots: it loads what the card needs, waits for the
 * system on it and hands over. Debian's own takes minutes to make and to run here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRIES = 600, PAUSE_US = 100000, WORDS = 4096, PATH = 512 };

static void load_modules(void)
{
	struct dirent **found;
	int count = scandir("/modules", &found, NULL, alphasort);

	for (int n = 0; n < count; n++) {
		char path[PATH];

		snprintf(path, sizeof path, "/modules/%s", found[n]->d_name);
		if (found[n]->d_name[0] == '.')
			continue;
		int file = open(path, O_RDONLY);

		if (syscall(SYS_finit_module, file, "", 0) < 0)
			printf("%s: %s\n", path, strerror(errno));
		close(file);
	}
}

/* The device after "root=" on the kernel's line; empty if there is none. */
static const char *root_device(void)
{
	static char words[WORDS];
	int file = open("/proc/cmdline", O_RDONLY);

	if (read(file, words, sizeof words - 1) > 0)
		for (char *word = strtok(words, " \n"); word; word = strtok(NULL, " \n"))
			if (!strncmp(word, "root=", 5))
				return word + 5;
	return "";
}

int main(void)
{
	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	const char *device = root_device();
	int is_there = 0;

	for (int n = 0; n < TRIES && !is_there; n++) {
		is_there = !mount(device, "/root", "ext4", MS_RDONLY, NULL);
		usleep(is_there ? 0 : PAUSE_US);
	}
	if (!is_there || mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) || chdir("/root") ||
	    umount2("/proc", MNT_DETACH) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") ||
	    execl("/sbin/init", "init", NULL))
		printf("no system on '%s': %s\n", device, strerror(errno));
	return 1; /* the kernel stops, and says so */
}
