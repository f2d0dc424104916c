/* The first and only program of an emulated Pi: it loads modules, then makes the calls
 * that it is asked for and tells what the kernel said. One line a call and one a reply,
 * in hex, on the console; the packets are those of board/kernelwire.py. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

enum { NAMES = 1, TARGET, READ, WRITE, OPEN, IOCTL, TRANSFER, CLOSE };
enum { HEAD = 13, REPLY_HEAD = 8, LINE = 4096, DATA = 2048, CONSOLE_OFF = 6 };

struct call {
	uint32_t number, request;
	uint8_t what;
	int32_t handle;
	int size;
	char data[DATA + 1]; /* with a 0 behind it */
};

static int names(struct call *call)
{
	struct dirent **found;
	int count = scandir(call->data, &found, NULL, alphasort);

	if (count < 0)
		return -errno;
	call->size = 0;
	for (int n = 0; n < count; n++) {
		const char *name = found[n]->d_name;
		int left = DATA - call->size;

		if (name[0] != '.')
			call->size += snprintf(call->data + call->size, left, "%s%s",
					       call->size ? "\n" : "", name);
		if (call->size >= DATA)
			return -EOVERFLOW;
	}
	return 0;
}

static int target(struct call *call)
{
	char found[DATA];

	call->size = readlink(call->data, found, DATA);
	if (call->size < 0)
		return -errno;
	memcpy(call->data, found, call->size);
	return 0;
}

static int text_of(struct call *call)
{
	int file = open(call->data, O_RDONLY);

	if (file < 0)
		return -errno;
	call->size = read(file, call->data, DATA);
	int result = call->size < 0 ? -errno : 0;
	close(file);
	return result;
}

static int write_text(struct call *call)
{
	int path = strlen(call->data) + 1;
	int file = open(call->data, O_WRONLY | O_TRUNC);

	if (file < 0)
		return -errno;
	int result = write(file, call->data + path, call->size - path) < 0 ? -errno : 0;
	close(file);
	call->size = 0;
	return result;
}

static int done(int result)
{
	return result < 0 ? -errno : result;
}

static int perform(struct call *call)
{
	int result;

	switch (call->what) {
	case NAMES:
		return names(call);
	case TARGET:
		return target(call);
	case READ:
		return text_of(call);
	case WRITE:
		return write_text(call);
	case IOCTL:
		return done(ioctl(call->handle, call->request, call->data));
	case OPEN:
		result = done(open(call->data, O_RDWR));
		break;
	case CLOSE:
		result = done(close(call->handle));
		break;
	default: /* the emulated SPI never ends a transfer */
		result = -ENOSYS;
	}
	call->size = 0;
	return result;
}

static int from_hex(const char *line, uint8_t *out, int most)
{
	int size = 0;
	unsigned int byte;

	while (size < most && sscanf(line + 2 * size, "%2x", &byte) == 1)
		out[size++] = byte;
	return size;
}

static void tell(const void *bytes, int size)
{
	for (int n = 0; n < size; n++)
		printf("%02x", ((const uint8_t *)bytes)[n]);
}

static void serve(void)
{
	static char line[LINE];
	static uint8_t packet[HEAD + DATA];
	static struct call call;

	while (fgets(line, sizeof line, stdin)) {
		int size = from_hex(line, packet, sizeof packet);

		if (size < HEAD)
			continue;
		memcpy(&call.number, packet, 4);
		call.what = packet[4];
		memcpy(&call.handle, packet + 5, 4);
		memcpy(&call.request, packet + 9, 4);
		call.size = size - HEAD;
		memset(call.data, 0, sizeof call.data);
		memcpy(call.data, packet + HEAD, call.size);
		int32_t result = perform(&call);

		printf("@");
		tell(&call.number, 4);
		tell(&result, 4);
		tell(call.data, result < 0 ? 0 : call.size);
		printf("\n");
		fflush(stdout);
	}
}

static void load_modules(void)
{
	struct dirent **found;
	int count = scandir("/modules", &found, NULL, alphasort);

	for (int n = 0; n < count; n++) {
		char path[512];

		snprintf(path, sizeof path, "/modules/%s", found[n]->d_name);
		if (found[n]->d_name[0] == '.')
			continue;
		int file = open(path, O_RDONLY);

		if (syscall(SYS_finit_module, file, "", 0) < 0)
			printf("%s: %s\n", path, strerror(errno));
		close(file);
	}
}

int main(void)
{
	struct termios settings;

	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/sys", "sysfs", 0, NULL);
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("none", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	klogctl(CONSOLE_OFF, NULL, 0);
	tcgetattr(0, &settings);
	settings.c_lflag &= ~ECHO;
	tcsetattr(0, TCSANOW, &settings);
	printf("@ready\n");
	fflush(stdout);
	serve();
	pause(); /* the first program never ends */
	return 0;
}
