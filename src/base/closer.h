/* closer.h - closes files on a thread of its own, for threads that must not block. Thread rule: any thread.
 *
 * Closing the last descriptor of a removed file frees the file's blocks. On a volume that does not answer, that call
 * blocks. Use closer_close for every descriptor of a file on the recordings' volume. */
#pragma once

/* Takes ownership of fd and closes it soon. Ignores -1. */
void closer_close(int fd);
